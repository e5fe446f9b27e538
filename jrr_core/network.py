"""Network failures in words a user can act on."""

import socket
import ssl
from urllib.parse import urlsplit

# What OpenSSL calls them: X509_V_ERR_CERT_NOT_YET_VALID, _CERT_HAS_EXPIRED and _HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH
# (include/openssl/x509_vfy.h).
_WRONG_TIME = frozenset({9, 10})
_WRONG_NAME = frozenset({62, 64})


def host_of(url: str) -> str:
    """Return `host` or `host:port` of an address, without any user name or password."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or url
    except ValueError:
        return url.rpartition("@")[2]


def reason_of(error: BaseException) -> str:
    """Return in a few words why the network failed."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "the name cannot be looked up (no network or DNS?)"
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(error)
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {getattr(error, 'reason', None) or error}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


def _untrusted(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _WRONG_TIME:
        cure = "is this machine's clock right?"
    elif error.verify_code in _WRONG_NAME:
        cure = "is the address right, or does something in between answer for the host?"
    else:
        cure = "if a proxy or firewall of yours encrypts anew, write its CA certificate (PEM) into network.ca_file"
    return f"TLS failed, its certificate is not trusted ({error.verify_message}); {cure}"
