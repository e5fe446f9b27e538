"""The way to a host: through which proxy, and which certificates are trusted on it.

The one place that reads proxy variables, makes TLS contexts and knows `python-socks`.
Certificates and host names are always verified; the password of a proxy gets into no text.
"""

import socket
import ssl
from functools import cached_property
from importlib import import_module
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from attrs import define, field, validators

from .errors import ConfigError
from .network import reason_of
from .redact import hide
from .setting import setting

_DIRECT = "none"
_PICOWS = "picows"
# The ports of these schemes where none is written: RFC 9110 4.2.1, and the one IANA gives SOCKS.
_PORTS = {"http": 80, "socks5": 1080, "socks5h": 1080}
# What a setting or variable for plain WebSockets is called.
_SCHEMES = {"ws": "http", "wss": "https"}
# Replies of a SOCKS5 proxy, RFC 1928 section 6, in words a user can act on.
_SOCKS_REPLIES = {
    2: "its rules do not allow this host",
    3: "it finds no network to this host",
    4: "it cannot reach or look up this host",
    5: "this host refuses its connection",
}
# Answers to CONNECT: RFC 9110 15.5.4, 15.5.8 and 15.6.3 to 15.6.5.
_HTTP_REPLIES = {
    403: "its rules do not allow this host",
    502: "it cannot reach or look up this host",
    503: "it is overloaded or cannot reach this host",
    504: "this host does not answer it",
}


class ProxyFailed(OSError):  # noqa: N818 - says what happened, not whose fault
    """A proxy did not let us through; the text names the proxy, the reason and the cure."""


@define(frozen=True)
class Proxy:
    """A proxy, and what the user called it."""

    scheme: str
    host: str
    port: int
    user: str = field(repr=False)
    password: str = field(repr=False)
    origin: str

    @classmethod
    def parse(cls, text: str, origin: str) -> "Proxy":
        """Read `http://USER:PASSWORD@HOST:PORT` (or socks5://, socks5h://); raises ConfigError without quoting it."""
        form = (
            f"{origin} must be http://HOST:PORT, socks5://HOST:PORT or socks5h://HOST:PORT, USER:PASSWORD@ before HOST"
        )
        try:
            url = urlsplit(text if "://" in text else f"http://{text}")
            host, port = url.hostname, url.port
        except ValueError:
            raise ConfigError(form) from None
        if url.scheme == "https":
            raise ConfigError(
                f"{form}: TLS to the proxy itself is not supported, what goes through it is encrypted anyway"
            )
        if url.scheme not in _PORTS or not host or url.path.strip("/") or url.query or url.fragment:
            raise ConfigError(form)
        user, password = unquote(url.username or ""), unquote(url.password or "")
        if not (user + password).isascii() or max(len(user), len(password)) > 255:
            raise ConfigError(f"{origin}: user name and password must be ASCII, of 255 characters at most")
        hide(password)
        return cls(url.scheme, host, port or _PORTS[url.scheme], user, password, origin)

    def __str__(self) -> str:
        """Return how it is named in texts, without user name and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"proxy {self.scheme}://{host}:{self.port} ({self.origin})"

    def connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """Return a socket to `host` through the proxy, blocking; raises ProxyFailed."""
        from python_socks.sync import Proxy as Way

        try:
            return Way(*self._way).connect(host, port, timeout=timeout_s)
        except Exception as error:
            self._fail(error, host)

    async def open(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """Return a socket to `host` through the proxy; raises ProxyFailed."""
        from python_socks.async_.asyncio import Proxy as Way

        try:
            return await Way(*self._way).connect(host, port, timeout=timeout_s)
        except Exception as error:
            self._fail(error, host)

    @property
    def _way(self) -> tuple[Any, str, int, str, str, bool]:
        from python_socks import ProxyType

        kind = ProxyType.HTTP if self.scheme == "http" else ProxyType.SOCKS5
        return kind, self.host, self.port, self.user, self.password, self.scheme == "socks5h"

    def _fail(self, error: Exception, host: str) -> NoReturn:
        """Raise ProxyFailed for what the library raises, which is not of one family."""
        from python_socks import ProxyConnectionError, ProxyError

        if isinstance(error, ProxyConnectionError):
            cause = reason_of(error.__cause__ or error)
            text = f"{cause}; is it running, and {self.origin} right?"
        elif isinstance(error, TimeoutError):
            text = "no answer in time"
        elif isinstance(error, socket.gaierror):
            text = f"{host} cannot be looked up here; socks5h:// lets the proxy look it up"
        elif isinstance(error, ProxyError):
            text = self._refusal(error.error_code, str(error))
        else:
            text = str(error) or type(error).__name__
        raise ProxyFailed(f"{self}: {text}") from None

    def _refusal(self, code: int | None, words: str) -> str:
        if code == 407 or "authentication" in words.lower():
            return f"it wants a user name and a password, or other ones; write them into {self.origin} before the host"
        known = (_HTTP_REPLIES if self.scheme == "http" else _SOCKS_REPLIES).get(code or 0)
        return f"it refuses: {known or words[:200]!r}"


def _proxy_or_nothing(instance: object, attribute: object, value: str) -> None:
    if value and value != _DIRECT:
        try:
            Proxy.parse(value, "proxy")
        except ConfigError as error:
            raise ValueError(str(error), attribute) from None


@define(kw_only=True, repr=False)
class NetworkSettings:
    """The section `[network]`; of a proxy the password alone is a secret, which no representation may tell."""

    proxy: str = setting(
        "",
        "Proxy for WebSockets and REST, http://, socks5:// or socks5h://HOST:PORT, with USER:PASSWORD@ before HOST "
        "where it asks for them; `none` for no proxy. Without one the variables https_proxy, http_proxy and all_proxy "
        "say it. Hosts in no_proxy are reached directly. Its password is never shown.",
        validator=_proxy_or_nothing,
    )
    ca_file: str = setting("", "File of PEM certificates to trust besides those of the system.")
    transport: str = setting(
        "auto",
        'What carries WebSockets: "picows", which `jrr-core[fast]` installs and which takes less CPU, "websockets", '
        'or "auto": picows where it is installed.',
        validator=validators.in_(("auto", "websockets", "picows")),
    )


def transport_in_use(wanted: str) -> str:
    """Return which library "auto", "websockets" or "picows" comes to here; raises ConfigError for one not installed."""
    if wanted == "websockets":
        return wanted
    try:
        import_module(_PICOWS)
    except ImportError as error:
        if wanted == _PICOWS:
            raise ConfigError(
                f'network.transport = "picows": it cannot be loaded ({error}); pip install "jrr-core[fast]"'
            ) from None
        return "websockets"
    return _PICOWS


class Network:
    """How a run reaches the internet; made once, since a TLS context costs 30 ms and 0.8 MB."""

    def __init__(self, settings: NetworkSettings | None = None) -> None:
        """Raises ConfigError for a `ca_file` that holds no certificates."""
        self._settings = settings or NetworkSettings()
        if self._settings.ca_file:
            self.tls  # noqa: B018 - a wrong file is told before anything is connected
        if self._settings.transport == _PICOWS:
            self.transport  # noqa: B018 - so is a missing library

    @cached_property
    def transport(self) -> str:
        """The library that carries WebSockets; raises ConfigError for one not installed."""
        return transport_in_use(self._settings.transport)

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """What verifies every TLS connection: the system's authorities (SSL_CERT_FILE) and those of `ca_file`."""
        context = ssl.create_default_context()
        file = self._settings.ca_file
        if file:
            try:
                context.load_verify_locations(cafile=file)
            except ssl.SSLError:
                raise ConfigError(f"network.ca_file = {file!r} holds no certificates in PEM form") from None
            except OSError as error:
                raise ConfigError(f"network.ca_file = {file!r} cannot be read: {error.strerror}") from None
        return context

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy on the way to `url`, None for the direct way; raises ConfigError for one that is none."""
        if self._settings.proxy == _DIRECT:
            return None
        parts = urlsplit(url)
        scheme = _SCHEMES.get(parts.scheme, parts.scheme)
        text, origin = self._settings.proxy, "network.proxy"
        if not text:
            found = getproxies()
            name = scheme if found.get(scheme) else "all"
            text, origin = found.get(name, ""), f"{name}_proxy"
        if not text or proxy_bypass(parts.netloc.rpartition("@")[2]):
            return None
        return Proxy.parse(text, origin)


SYSTEM = Network()
"""The network as the system and the environment have it, for what runs without settings."""
