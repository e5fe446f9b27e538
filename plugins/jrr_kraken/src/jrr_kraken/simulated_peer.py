"""One connection to the simulated Kraken: requests, an answer for each symbol, heartbeats, and the end of idle ones."""

from collections.abc import Mapping
from typing import Any, Protocol

from jrr_core.errors import ParseError
from jrr_core.testing.feed import Feed
from jrr_core.testing.script import Close, Ping
from jrr_core.wire import decode, encode

from .products import IDLE_S
from .simulated_feeds import S, time_text


class Exchange(Protocol):
    """What a connection needs of the exchange behind it."""

    def feed(self, parameters: Mapping[str, Any], symbol: str, now_ns: int) -> Feed | str:
        """Return the feed of a channel and symbol, or the words in which it is refused."""


class KrakenPeer:
    """A client of /v2; `late_ns` delays answers."""

    def __init__(self, exchange: Exchange, name: int, late_ns: int, now_ns: int) -> None:
        """Accept the connection and tell the state of the exchange."""
        self.outbox: list[str | bytes | Close | Ping] = []
        self.late_ns = late_ns
        self._exchange = exchange
        self._feeds: dict[Feed, None] = {}
        self._pushed = False
        self._pushed_ns = self._wanted_ns = now_ns
        self._late: list[tuple[int, str]] = []
        status = {"version": "2.0.9", "system": "online", "api_version": "v2", "connection_id": name}
        self.push(encode({"channel": "status", "type": "update", "data": [status]}))

    def push(self, text: str) -> None:
        """Queue a frame."""
        self.outbox.append(text)
        self._pushed = True

    def pong(self, payload: bytes, now_ns: int) -> None:
        """Take a protocol pong, of which Kraken takes no notice."""

    def tick(self, now_ns: int) -> None:
        """Send late answers and heartbeats; close what wants nothing for a minute."""
        while self._late and self._late[0][0] <= now_ns:
            self.push(self._late.pop(0)[1])
        if self._feeds:
            self._wanted_ns = now_ns
            if not self._pushed and now_ns - self._pushed_ns >= S:
                self.push('{"channel":"heartbeat"}')
        elif now_ns - self._wanted_ns >= IDLE_S * S:
            self._wanted_ns = now_ns
            self.outbox.append(Close(1000, "no subscription"))
        if self._pushed:
            self._pushed, self._pushed_ns = False, now_ns

    def heal(self) -> None:
        """Forget the faults."""
        self.late_ns = 0

    def receive(self, text: str, now_ns: int) -> None:
        """Take a request."""
        try:
            request = decode(text)
        except ParseError:
            request = None
        if not isinstance(request, dict):
            self._answer({}, now_ns, error="Malformed request", success=False)
            return
        method, parameters = request.get("method"), request.get("params")
        if method == "ping":
            self.push(encode({"method": "pong", **_named(request), **_times(now_ns)}))
        elif method not in ("subscribe", "unsubscribe") or not isinstance(parameters, dict):
            self._answer(request, now_ns, error="Method not found", success=False)
        else:
            symbols = parameters.get("symbol")
            for symbol in symbols if isinstance(symbols, list) else ():
                self._turn(request, parameters, str(symbol), now_ns)

    def _turn(self, request: Mapping[str, Any], parameters: Mapping[str, Any], symbol: str, now_ns: int) -> None:
        feed = self._exchange.feed(parameters, symbol, now_ns)
        if isinstance(feed, str):
            self._answer(request, now_ns, error=f"{feed} {symbol}", symbol=symbol, success=False)
            return
        self._answer(request, now_ns, result={**parameters, "symbol": symbol}, success=True)
        if request["method"] == "unsubscribe":
            self._feeds.pop(feed, None)
            feed.leave(self)
        elif feed not in self._feeds:
            self._feeds[feed] = None
            feed.join(self, now_ns)

    def _answer(self, request: Mapping[str, Any], now_ns: int, **parts: object) -> None:
        method = str(request.get("method", ""))[:20]
        text = encode({"method": method, **_named(request), **parts, **_times(now_ns)})
        if self.late_ns and method == "subscribe":
            self._late.append((now_ns + self.late_ns, text))
        else:
            self.push(text)


def _named(request: Mapping[str, Any]) -> Mapping[str, int]:
    name = request.get("req_id")
    return {"req_id": name} if isinstance(name, int) else {}


def _times(now_ns: int) -> Mapping[str, str]:
    return {"time_in": time_text(now_ns), "time_out": time_text(now_ns)}
