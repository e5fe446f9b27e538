"""One connection to the simulated Gate: requests, their answers, the notice of an upgrade, and the end of idle ones."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from jrr_core.errors import ParseError
from jrr_core.testing.feed import Feed
from jrr_core.testing.script import Close, Ping
from jrr_core.wire import decode, encode

from .products import IDLE_S, Product
from .simulated_feeds import MS, S, push


class Exchange(Protocol):
    """What a connection needs of the exchange behind it."""

    product: Product

    def feed(self, name: str, payload: Sequence[str], now_ns: int) -> Feed | str | None:
        """Return the feed of a channel, the words in which it is refused, or None for one that stays silent."""


class GatePeer:
    """A client; `late_ns` delays answers, `notice_ns` is when it is told of an upgrade, None for never."""

    def __init__(self, exchange: Exchange, name: str, late_ns: int, notice_ns: int | None, now_ns: int) -> None:
        """Accept the connection; `name` is its conn_id."""
        self.outbox: list[str | bytes | Close | Ping] = []
        self.late_ns = late_ns
        self.notice_ns = notice_ns
        self._exchange = exchange
        self._name = name
        self._feeds: dict[str, Feed | None] = {}
        self._heard_ns = self._wanted_ns = now_ns
        self._late: list[tuple[int, str]] = []

    def push(self, text: str) -> None:
        """Queue a frame."""
        self.outbox.append(text)

    def pong(self, payload: bytes, now_ns: int) -> None:
        """Take a protocol pong, which is a sign of life."""
        self._heard_ns = now_ns

    def tick(self, now_ns: int) -> None:
        """Send late answers and the notice; close who is silent or wants nothing."""
        while self._late and self._late[0][0] <= now_ns:
            self.push(self._late.pop(0)[1])
        if self.notice_ns is not None and now_ns >= self.notice_ns:
            self.notice_ns = None
            self.push(push(self._exchange.product, "system", {"type": "upgrade", "msg": "upgrading"}, now_ns))
        if self._feeds:
            self._wanted_ns = now_ns
        if now_ns - min(self._wanted_ns, self._heard_ns) >= IDLE_S * S:
            self._wanted_ns = self._heard_ns = now_ns
            self.outbox.append(Close(1000, "idle"))

    def heal(self) -> None:
        """Forget the faults."""
        self.late_ns, self.notice_ns = 0, None

    def receive(self, text: str, now_ns: int) -> None:
        """Take a request."""
        self._heard_ns = now_ns
        try:
            request = decode(text)
        except ParseError:
            request = None
        if not isinstance(request, dict) or not isinstance(request.get("time"), int):
            self._answer({}, now_ns, (1, "invalid argument struct"))
            return
        prefix, _, name = str(request.get("channel", "")).partition(".")
        payload = request.get("payload")
        if prefix != self._exchange.product.prefix:
            self._answer(request, now_ns, (2, "unknown channel"))
        elif name == "ping":
            head = {"time": now_ns // S, "time_ms": now_ns // MS, "conn_id": self._name}
            self.push(encode({**head, "channel": f"{prefix}.pong", "event": "", "result": None}))
        elif request.get("event") not in ("subscribe", "unsubscribe") or not isinstance(payload, list) or not payload:
            self._answer(request, now_ns, (2, "invalid argument"))
        else:
            self._turn(request, name, [str(part) for part in payload], now_ns)

    def _turn(self, request: Mapping[str, Any], name: str, payload: Sequence[str], now_ns: int) -> None:
        """Turn a channel on or off; the pairs of trades, quotes and tickers may be several."""
        many = name in ("trades", "book_ticker", "tickers", "obu")
        for part in [[one] for one in payload] if many else [list(payload)]:
            key = f"{name} {part}"
            if request["event"] == "unsubscribe":
                feed = self._feeds.pop(key, None)
                if feed is not None:
                    feed.leave(self)
                continue
            found = self._exchange.feed(name, part, now_ns)
            if isinstance(found, str):
                self._answer(request, now_ns, (2, found))
                return
            if key in self._feeds and name == "obu":
                self._answer(request, now_ns, (2, f"Alert sub {part[0]}"))
                return
            if key not in self._feeds and found is not None:
                found.join(self, now_ns)
            self._feeds[key] = found
        self._answer(request, now_ns, None)

    def _answer(self, request: Mapping[str, Any], now_ns: int, error: tuple[int, str] | None) -> None:
        kept = {name: request[name] for name in ("id", "channel", "event", "payload") if name in request}
        kept.setdefault("channel", "")
        status = {"status": "success" if error is None else "fail"}
        refused = {} if error is None else {"error": {"code": error[0], "message": error[1]}}
        text = encode({"time": now_ns // S, "time_ms": now_ns // MS, "conn_id": self._name, **kept, **refused,
                       "result": status})  # fmt: skip
        if self.late_ns:
            self._late.append((now_ns + self.late_ns, text))
        else:
            self.push(text)
