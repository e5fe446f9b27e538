"""One connection to the simulated Bybit: requests, their answers, and what Bybit does to idle clients."""

from collections.abc import Mapping
from typing import Any, Protocol

from jrr_core.errors import ParseError
from jrr_core.testing.feed import Feed
from jrr_core.testing.script import Close, Ping
from jrr_core.wire import decode, encode

from .products import ARGS_CHARS, ARGS_PER_REQUEST, IDLE_S

_S = 1_000_000_000


class Exchange(Protocol):
    """What a connection needs of the exchange behind it."""

    spot: bool

    def feed(self, topic: str, now_ns: int) -> Feed | str:
        """Return the feed of a topic, or the words in which it is refused."""


class BybitPeer:
    """A client of /v5/public/<category>; `late_ns` delays answers, `name` is its conn_id."""

    def __init__(self, exchange: Exchange, name: str, late_ns: int, now_ns: int) -> None:
        """Accept the connection."""
        self.outbox: list[str | bytes | Close | Ping] = []
        self.late_ns = late_ns
        self._exchange = exchange
        self._name = name
        self._topics: dict[str, Feed] = {}
        self._heard_ns = now_ns
        self._late: list[tuple[int, str]] = []

    def push(self, text: str) -> None:
        """Queue a frame."""
        self.outbox.append(text)

    def pong(self, payload: bytes, now_ns: int) -> None:
        """Take a protocol pong, which is a sign of life."""
        self._heard_ns = now_ns

    def tick(self, now_ns: int) -> None:
        """Send late answers; close what was idle for ten minutes."""
        while self._late and self._late[0][0] <= now_ns:
            self.push(self._late.pop(0)[1])
        if now_ns - self._heard_ns >= IDLE_S * _S:
            self._heard_ns = now_ns
            self.outbox.append(Close(1000, "idle"))

    def heal(self) -> None:
        """Forget the faults."""
        self.late_ns = 0

    def receive(self, text: str, now_ns: int) -> None:
        """Take a request."""
        self._heard_ns = now_ns
        try:
            request = decode(text)
        except ParseError:
            request = None
        if not isinstance(request, dict):
            self._answer({}, "", False, "Invalid request", now_ns)
            return
        op, topics = request.get("op"), request.get("args")
        if op == "ping":
            self._answer(request, "ping", True, "pong", now_ns)
        elif op not in ("subscribe", "unsubscribe") or not isinstance(topics, list):
            self._answer(request, str(op)[:20], False, "error:invalid op", now_ns)
        else:
            self._turn(request, str(op), [str(topic) for topic in topics], now_ns)

    def _turn(self, request: Mapping[str, Any], op: str, topics: list[str], now_ns: int) -> None:
        refusal = self._refusal(op, topics, now_ns)
        if refusal is not None:
            # The answer that refuses a topic does not say which request it answers.
            self._answer({}, op, False, refusal, now_ns)
            return
        self._answer(request, op, True, "", now_ns)
        for topic in topics:
            if op == "unsubscribe":
                feed = self._topics.pop(topic, None)
                if feed is not None:
                    feed.leave(self)
            elif topic not in self._topics:
                joined = self._exchange.feed(topic, now_ns)
                assert isinstance(joined, Feed)
                self._topics[topic] = joined
                joined.join(self, now_ns)

    def _refusal(self, op: str, topics: list[str], now_ns: int) -> str | None:
        """Return why a request is refused as a whole."""
        if op == "unsubscribe":
            return None
        if self._exchange.spot and len(topics) > ARGS_PER_REQUEST:
            return "args size >10"
        if len(encode([*self._topics, *topics])) > ARGS_CHARS + 2:
            return "args length exceeds 21000"
        for topic in topics:
            found = self._exchange.feed(topic, now_ns)
            if isinstance(found, str):
                return found
        return None

    def _answer(self, request: Mapping[str, Any], op: str, success: bool, words: str, now_ns: int) -> None:
        name = request.get("req_id")
        named = {"req_id": name} if isinstance(name, str) else {}
        text = encode({"success": success, "ret_msg": words, "conn_id": self._name, **named, "op": op})
        if self.late_ns and op == "subscribe":
            self._late.append((now_ns + self.late_ns, text))
        else:
            self.push(text)
