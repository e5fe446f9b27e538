"""The HTTP side: a few threads that ask the event loop and write what it says.

That the loop answers is what /livez means. A client can be as slow or as rude
as it likes: it has a few seconds, and one of a few places.
"""

import asyncio
import concurrent.futures
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any, TypeVar

from attrs import define

from ..journal import say
from ..wire import encode
from .address import Address
from .health import health_of

# A client, or an event loop, that takes longer is given up.
_PATIENCE_S = 5.0
_AT_ONCE = 8
_PATHS = ("/metrics", "/livez", "/readyz", "/stats")
_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"

Stats = Callable[[], Mapping[str, Any]]
T = TypeVar("T")


class _Stuck(Exception):  # noqa: N818 - says what happened, not whose fault
    """The event loop does not answer."""


@define(frozen=True)
class Answer:
    """What a request gets."""

    status: HTTPStatus
    kind: str
    body: bytes


class Observer:
    """Serves the stats of a run at an address."""

    def __init__(self, address: Address, stats: Stats, symbols: tuple[str, ...] = ()) -> None:
        """`stats` is called in the event loop's thread; nothing is opened yet."""
        self.address = address
        self._stats = stats
        self._symbols = symbols
        self._server: _Server | None = None

    def start(self) -> None:
        """Listen; an address that cannot be had is said in the log, and the run goes on. Called in the event loop."""
        loop = asyncio.get_running_loop()
        try:
            self._server = _Server(
                self.address, lambda: self._ask(loop, lambda: None), lambda: self._ask(loop, self._stats), self._symbols
            )
        except OSError as error:
            say(logging.ERROR, "metrics_unavailable", f"cannot listen at {self.address} for metrics and `jrr top`: "
                f"{error.strerror or error}; set metrics.listen to another address, or to nothing",
                address=str(self.address), reason=error.strerror or str(error))  # fmt: skip
            return
        self.address = Address(self.address.host, self._server.server_port)
        threading.Thread(target=self._server.serve_forever, name="jrr-observe", daemon=True).start()

    def stop(self) -> None:
        """Stop listening; an answer under way is cut off."""
        if self._server is not None:
            server, self._server = self._server, None
            threading.Thread(target=_end, args=(server,), name="jrr-observe-end", daemon=True).start()

    def _ask(self, loop: asyncio.AbstractEventLoop, work: Callable[[], T]) -> T:
        """Return what `work` gives in the event loop; raises _Stuck where the loop does not answer."""
        asked: concurrent.futures.Future[T] = concurrent.futures.Future()

        def answer() -> None:
            if asked.set_running_or_notify_cancel():
                try:
                    asked.set_result(work())
                except Exception as error:
                    asked.set_exception(error)

        try:
            loop.call_soon_threadsafe(answer)
        except RuntimeError:
            # The loop is closed.
            raise _Stuck from None
        if not concurrent.futures.wait((asked,), _PATIENCE_S).done:
            asked.cancel()
            raise _Stuck
        return asked.result()


def _cut(request: socket.socket) -> None:
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


def _end(server: "_Server") -> None:
    server.shutdown()
    server.server_close()


class _Server(ThreadingHTTPServer):
    """Answers with the stats; `alive` and `stats` raise _Stuck where the loop does not answer."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, address: Address, alive: Callable[[], None], stats: Stats, symbols: tuple[str, ...]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self.host = address.host
        self._alive, self._stats = alive, stats
        self._symbols = symbols
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__((address.host, address.port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve in a thread if a place is free; else hang up."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one client, then free its place; whoever takes longer than a few seconds in all is cut off."""
        deadline = threading.Timer(2 * _PATIENCE_S, _cut, (request,))
        deadline.daemon = True
        deadline.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            deadline.cancel()
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that went away is none of the run's business."""
        logging.getLogger("jrr").debug("a request failed", exc_info=True)

    def knows(self, host: str) -> bool:
        """Whether a Host header may be answered: pages of other sites must not read this through a browser."""
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
        name = name.strip("[]").lower()
        if name in ("localhost", self.host.lower()) or self.host in ("0.0.0.0", "::"):
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True

    def answer(self, path: str, accept: str) -> Answer:
        """Return what a path gives."""
        if path not in _PATHS:
            text = f"nothing is here; there are {', '.join(_PATHS)}\n"
            return Answer(HTTPStatus.NOT_FOUND, _TEXT, text.encode())
        try:
            if path == "/livez":
                self._alive()
                return Answer(HTTPStatus.OK, _TEXT, b"alive\n")
            return self._told(path, self._stats(), accept)
        except _Stuck:
            text = f"the event loop does not answer within {_PATIENCE_S:g} s\n"
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, text.encode())
        except Exception as error:
            logging.getLogger("jrr").debug("stats failed", exc_info=True)
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, f"stats failed: {error!r}\n".encode())

    def _told(self, path: str, stats: Mapping[str, Any], accept: str) -> Answer:
        """Return what a path makes of the stats."""
        if path == "/stats":
            return Answer(HTTPStatus.OK, _JSON, encode(stats).encode() + b"\n")
        if path == "/readyz":
            health = health_of(stats)
            status = HTTPStatus.OK if health.ready else HTTPStatus.SERVICE_UNAVAILABLE
            body = encode({"ready": health.ready, "waiting": health.waiting}).encode() + b"\n"
            return Answer(status, _JSON, body)
        from .metrics import exposition

        kind, body = exposition(stats, self._symbols, accept)
        return Answer(HTTPStatus.OK, kind, body)


class _Handler(BaseHTTPRequestHandler):
    """One request of one client."""

    server: _Server
    timeout = _PATIENCE_S
    server_version = "jrr"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer a HEAD."""
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        if not self.server.knows(self.headers.get("Host", "localhost")):
            found = Answer(HTTPStatus.FORBIDDEN, _TEXT, b"this Host is not served here\n")
        else:
            found = self.server.answer(self.path.partition("?")[0], self.headers.get("Accept", ""))
        self.send_response(found.status)
        self.send_header("Content-Type", found.kind)
        self.send_header("Content-Length", str(len(found.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")
        self.end_headers()
        if body:
            self.wfile.write(found.body)

    def log_message(self, format: str, *values: Any) -> None:
        """Keep requests out of the log."""
