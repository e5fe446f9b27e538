"""Network failures in words a user can act on."""

import socket
import ssl
from urllib.error import URLError
from urllib.parse import urlsplit


def host_of(url: str) -> str:
    """Return `host` or `host:port` of an address, without any user name or password."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or url
    except ValueError:
        return url.rpartition("@")[2]


def reason_of(error: BaseException) -> str:
    """Return in a few words why the network failed."""
    if isinstance(error, URLError) and isinstance(error.reason, BaseException):
        error = error.reason
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "the name cannot be looked up (no network or DNS?)"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {getattr(error, 'reason', None) or error}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
