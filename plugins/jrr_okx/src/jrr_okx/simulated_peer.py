"""One connection to the simulated OKX: requests, their answers, and what OKX does to idle or greedy clients."""

import re
from typing import Any, Protocol

from jrr_core.errors import ParseError
from jrr_core.testing.feed import Feed
from jrr_core.testing.script import Close, Ping
from jrr_core.wire import decode, encode

from .products import PATHS, RULES
from .simulated_feed import S

# Docs, "Connect": 480 subscribes, unsubscribes and logins an hour; one comes back every 7.5 s.
_REQUESTS = 480
_REFILL_NS = 7_500_000_000
# Docs, "Connect": closed when nothing was pushed for 30 s.
_IDLE_NS = 30 * S
_MOST_BYTES = 64 * 1024
_LOGIN_ONLY = ("books-l2-tbt", "books50-l2-tbt")
_good_id = re.compile(r"[A-Za-z0-9]{1,32}").fullmatch


class Exchange(Protocol):
    """What a connection needs of the exchange behind it."""

    def feed(self, channel: str, target: str, now_ns: int) -> Feed | None:
        """Return the feed of a topic; None where there is no such topic."""


class OkxPeer:
    """A client of `/ws/v5/<path>`; `late_ns`, `notice_ns` and `close_ns` are faults, None where off."""

    def __init__(self, exchange: Exchange, path: str, name: str, now_ns: int) -> None:
        """Accept the connection; `name` is its connId."""
        self.outbox: list[str | bytes | Close | Ping] = []
        self.late_ns: int | None = None
        self.notice_ns: int | None = None
        self.close_ns: int | None = None
        self._exchange = exchange
        self._path = path
        self._name = name
        self._tokens = float(_REQUESTS)
        self._refilled_ns = now_ns
        self._pushed_ns = now_ns
        self._pushed = False
        self._late: list[tuple[int, str]] = []

    def push(self, text: str) -> None:
        """Queue a frame."""
        self.outbox.append(text)
        self._pushed = True

    def heal(self) -> None:
        """Forget the notice that was to come, and the close behind it."""
        if self.notice_ns is not None:
            self.notice_ns = self.close_ns = None

    def pong(self, payload: bytes, now_ns: int) -> None:
        """Take a protocol pong; OKX's idle rule takes no notice of it."""

    def tick(self, now_ns: int) -> None:
        """Send late answers, the upgrade notice and the close that is due."""
        while self._late and self._late[0][0] <= now_ns:
            self.push(self._late.pop(0)[1])
        if self.notice_ns is not None and now_ns >= self.notice_ns:
            self.notice_ns = None
            message = "The connection will soon be closed for a service upgrade. Please reconnect."
            self.push(encode({"event": "notice", "code": "64008", "msg": message, "connId": self._name}))
        if self._pushed:
            self._pushed = False
            self._pushed_ns = now_ns
        if self.close_ns is not None and now_ns >= self.close_ns:
            self.close_ns = None
            self.outbox.append(Close(1001, "service upgrade"))
        elif now_ns - self._pushed_ns >= _IDLE_NS:
            self._pushed_ns = now_ns
            self.outbox.append(Close(4004, "No data received in 30s"))

    def receive(self, text: str, now_ns: int) -> None:
        """Take `ping` or a request."""
        if text == "ping":
            self.push("pong")
            return
        if len(text.encode()) > _MOST_BYTES:
            self.outbox.append(Close(1009, "message too big"))
            return
        try:
            request = decode(text)
        except ParseError:
            request = None
        if not isinstance(request, dict):
            self._error("60012", f"Invalid request: {text}", None)
            return
        name = request.get("id")
        if not self._paid(now_ns):
            self._error("60014", "Requests too frequent", name)
            self.outbox.append(Close(4006, "requests too frequent"))
        elif name is not None and not (isinstance(name, str) and _good_id(name)):
            self._error("60033", "Parameter id error", None)
        else:
            self._answer(request, text, name, now_ns)

    def _paid(self, now_ns: int) -> bool:
        self._tokens = min(self._tokens + (now_ns - self._refilled_ns) / _REFILL_NS, float(_REQUESTS))
        self._refilled_ns = now_ns
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _answer(self, request: dict[str, Any], text: str, name: str | None, now_ns: int) -> None:
        arguments = request.get("args")
        if not isinstance(arguments, list) or not arguments or not all(isinstance(arg, dict) for arg in arguments):
            self._error("60012", f"Invalid request: {text}", name)
            return
        for argument in arguments:
            match request.get("op"):
                case "subscribe":
                    self._subscribe(argument, name, now_ns)
                case "unsubscribe":
                    self._unsubscribe(argument, name, now_ns)
                case operation:
                    self._error("60019", f"Invalid op: {operation}", name)
                    return

    def _subscribe(self, argument: dict[str, Any], name: str | None, now_ns: int) -> None:
        channel, target = self._topic(argument)
        if channel in _LOGIN_ONLY or self._path not in PATHS:
            self._error("60011", "Please log in", name)
            return
        rule = RULES.get(channel)
        if rule is not None and rule.path == "business" and self._path == "public":
            message = f"{channel} has been migrated to the '/business' URL. Please subscribe using the new URL."
            self._error("64001", message, name)
            return
        feed = None if rule is None or rule.path != self._path else self._exchange.feed(channel, target, now_ns)
        if feed is None:
            key = "instType" if "instType" in argument and "instId" not in argument else "instId"
            message = (
                f"Wrong URL or channel:{channel},{key}:{target} doesn't exist. "
                "Please use the correct URL, channel and parameters referring to API document."
            )
            self._error("60018", message, name)
            return
        answer = self._event("subscribe", argument, name)
        if self.late_ns is None:
            self.push(answer)
        if self not in feed.listeners:
            feed.join(self, now_ns)
        if self.late_ns is not None:
            self._late.append((now_ns + self.late_ns, answer))

    def _unsubscribe(self, argument: dict[str, Any], name: str | None, now_ns: int) -> None:
        feed = self._exchange.feed(*self._topic(argument), now_ns)
        if feed is not None:
            feed.leave(self)
        self.push(self._event("unsubscribe", argument, name))

    def _topic(self, argument: dict[str, Any]) -> tuple[str, str]:
        channel = str(argument.get("channel", ""))
        rule = RULES.get(channel)
        key = rule.argument if rule is not None else "instId"
        return channel, str(argument.get(key, ""))

    def _event(self, event: str, argument: dict[str, Any], name: str | None) -> str:
        named = {} if name is None else {"id": name}
        return encode({**named, "event": event, "arg": argument, "connId": self._name})

    def _error(self, code: str, message: str, name: object) -> None:
        named = {"id": name} if isinstance(name, str) else {}
        self.push(encode({**named, "event": "error", "code": code, "msg": message, "connId": self._name}))
