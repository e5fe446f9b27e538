"""One GET, blocking: through the proxy, over verified TLS, within limits of size, time and redirects.

The standard library's client: few requests, and no connection to keep. Asks for
no compression, and takes none.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from attrs import define

from .errors import ConfigError, JrrError
from .network import host_of, reason_of
from .route import SYSTEM, Network

# Without a byte for this long an answer is given up; with bytes, after this long in all.
_IDLE_S = 10.0
_TOTAL_S = 120.0
# The largest answers are lists of instruments, about 20 MB.
MAX_BODY_BYTES = 64 * 2**20
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_PORTS = {"http": 80, "https": 443}
# What may stand in an address as it is; all else (symbols in other scripts) is percent-encoded.
_URL_SAFE = ":/?#[]@!$&'()*+,;=%~"


class FetchFailed(JrrError):  # noqa: N818 - says what happened, not whose fault
    """A GET came to nothing; the text names the host and the reason. It may be tried again after `wait_s`."""

    def __init__(self, text: str, wait_s: float = 0.0) -> None:
        """`wait_s` is how long the server asked to be left alone."""
        super().__init__(text)
        self.wait_s = wait_s


@define(frozen=True)
class Reply:
    """An HTTP answer: status, body, seconds the server asked us to wait, its Date header."""

    status: int
    body: bytes
    retry_after_s: float | None
    date: str | None


def http_get(
    url: str, headers: Mapping[str, str] | None = None, network: Network = SYSTEM, total_s: float = _TOTAL_S
) -> Reply:
    """GET `url`, blocking for at most about `total_s`; every HTTP status is a Reply, redirects are followed.

    Raises FetchFailed where no whole answer comes, ConfigError for an address that is none.
    """
    try:
        at = _address(url)
    except ValueError as error:
        raise ConfigError(f"rest_url {url!r} is not an http:// or https:// address: {error}") from None
    sent = {"User-Agent": "jrr", "Accept": "application/json", "Connection": "close", **(headers or {})}
    deadline = time.monotonic() + total_s
    for _ in range(_MAX_REDIRECTS + 1):
        try:
            reply, location = _get(at, sent, network, deadline)
        except (OSError, HTTPException, EOFError, ValueError) as error:
            late = time.monotonic() >= deadline
            reason = f"no whole answer in {total_s:g} s" if late else reason_of(error)
            raise FetchFailed(f"cannot reach {host_of(at.geturl())}: {reason}") from None
        if location is None:
            return reply
        at = redirected(at, location)
    raise FetchFailed(f"{host_of(url)} redirects more than {_MAX_REDIRECTS} times; is rest_url the right address?")


def _address(url: str) -> SplitResult:
    """Return the parts of an address; raises ValueError for one that is none."""
    parts = urlsplit(quote(url, safe=_URL_SAFE))
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("no scheme or no host")
    parts.hostname.encode("idna")
    parts.port  # noqa: B018 - raises for one that is no number
    return parts


def _get(url: SplitResult, headers: Mapping[str, str], network: Network, deadline: float) -> tuple[Reply, str | None]:
    """Return the reply and where it leads to, if anywhere."""
    host, port = str(url.hostname), url.port or _PORTS[url.scheme]
    proxy = network.proxy_for(url.geturl())
    connection = HTTPConnection(host, port)
    connection.default_port = _PORTS[url.scheme]
    with contextlib.closing(connection):
        if proxy is None:
            connection.sock = socket.create_connection((host, port), _IDLE_S)
        else:
            connection.sock = proxy.connect(host, port, _IDLE_S)
        if url.scheme == "https":
            connection.sock = network.tls.wrap_socket(
                connection.sock, server_hostname=host, do_handshake_on_connect=False
            )
        with _cut_at(deadline, connection.sock):
            if isinstance(connection.sock, ssl.SSLSocket):
                connection.sock.do_handshake()
            path = f"{url.path or '/'}{'?' if url.query else ''}{url.query}"
            connection.request("GET", path, headers=dict(headers))
            with connection.getresponse() as answer:
                location = answer.headers.get("Location") if answer.status in _REDIRECTS else None
                body = b"" if location is not None else _body(answer, host)
                return Reply(answer.status, body, _retry_after(answer), answer.headers.get("Date")), location


@contextlib.contextmanager
def _cut_at(deadline: float, connection: socket.socket) -> Iterator[None]:
    """Cut the connection when the time is up: each byte of a trickle resets the socket's own timeout.

    Raises TimeoutError then, since a cut alone may pass for the end of headers or body.
    """
    late = threading.Event()

    def cut() -> None:
        late.set()
        with contextlib.suppress(OSError):
            # Not the TLS socket's own shutdown, which would pull the TLS state from under the reader.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    timer = threading.Timer(max(deadline - time.monotonic(), 0.0), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError


def _body(answer: HTTPResponse, host: str) -> bytes:
    """Return the whole body; raises FetchFailed for one that is too large or compressed, HTTPException for a part."""
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise FetchFailed(f"{host} answered in the encoding {encoding[:40]!r}, which was not asked for")
    too_large = FetchFailed(
        f"{host} answered with more than {MAX_BODY_BYTES // 2**20} MiB, which no list or snapshot has; "
        "is rest_url the right address?"
    )
    if answer.length is not None:
        if answer.length > MAX_BODY_BYTES:
            raise too_large
        return answer.read()
    body = answer.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        raise too_large
    return body


def redirected(at: SplitResult, location: str) -> SplitResult:
    """Return where a redirect leads; raises FetchFailed where it leads out of HTTP or out of encryption."""
    try:
        target = _address(urljoin(at.geturl(), location))
    except ValueError:
        raise FetchFailed(f"{at.netloc} redirects to {location[:200]!r}, which is no address") from None
    if at.scheme == "https" and target.scheme == "http":
        raise FetchFailed(
            f"{at.netloc} redirects to {location[:200]!r}, which is not encrypted; is rest_url the right address?"
        )
    return target


def _retry_after(answer: HTTPResponse) -> float | None:
    text = (answer.headers.get("Retry-After") or "").strip()
    return min(float(text), 3 * 86_400.0) if text.isdecimal() else None
