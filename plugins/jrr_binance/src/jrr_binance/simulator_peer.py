"""One client of the simulated exchange: control messages, their answers, and the limits a connection is held to.

Pure. A subscription is never checked: whatever is asked for is acknowledged
and listed, and only streams that exist on this path ever deliver.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
from attrs import define

from jrr_core.testing.simulator import Close, Ping

S = 1_000_000_000
# One stream more is answered with error 4 and the end of the connection (measured on futures, 2026-10-07).
MAX_STREAMS = 1024
METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
NO_ID = object()


@define(frozen=True)
class Rules:
    """What one product holds its clients to: frames per second, ping interval and pong deadline in s, ids allowed."""

    frames_per_s: int
    ping_s: int
    pong_s: int
    text_ids: bool


# Spot: 5/s documented, and a burst of 5 with refills in the same second trips it. Futures: 10/s documented, 15 at
# once survived. Pings every 20 s / 3 min, answered within 1 / 10 min.
SPOT_RULES = Rules(5, 20, 60, True)
FUTURES_RULES = Rules(15, 180, 600, False)


class _Fault(Exception):  # noqa: N818 - an answer, not a failure of ours
    """An error answer to the client: code and text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


class BinancePeer:
    """One connection; `attach` and `detach` tell the script which names to deliver here."""

    def __init__(
        self,
        rules: Rules,
        group: str,
        combined: bool,
        now_ns: int,
        attach: Callable[["BinancePeer", str], None],
        detach: Callable[["BinancePeer", str], None],
    ) -> None:
        """Open at `now_ns` on path group `group`."""
        self.outbox: list[str | bytes | Close | Ping] = []
        self.rules, self.group, self.combined = rules, group, combined
        self.opened_ns = now_ns
        self.names: dict[str, None] = {}
        self.noticed = False
        self.closed = False
        self._attach, self._detach = attach, detach
        self._heard: deque[int] = deque()
        self._next_ping_ns = now_ns + rules.ping_s * S
        self._unanswered: dict[bytes, int] = {}

    def subscribe(self, names: list[str]) -> bool:
        """Add streams; False (and the end of the connection) when they are too many."""
        for name in names:
            if name not in self.names and len(self.names) >= MAX_STREAMS:
                return False
            self.names[name] = None
            self._attach(self, name)
        return True

    def receive(self, text: str, now_ns: int) -> None:
        """Answer one control message."""
        if self._too_many(now_ns):
            return
        identity: object = NO_ID
        try:
            request = self._decode(text)
            identity = self._identity(request)
            result = self._carry_out(request, len(text))
        except _Fault as fault:
            self._answer({"error": {"code": fault.code, "msg": fault.text}}, identity)
            if fault.code == 4:
                self.close(1008, "Invalid request")
            return
        self._answer({"result": result}, identity)

    def pong(self, payload: bytes, now_ns: int) -> None:
        """Take a pong: only one that repeats a ping's payload keeps the connection."""
        if not self._too_many(now_ns) and payload in self._unanswered:
            self._unanswered.clear()

    def ping(self, payload: bytes, now_ns: int) -> None:
        """Count a ping of the client's against its limit."""
        self._too_many(now_ns)

    def keep(self, now_ns: int) -> None:
        """Ping when it is time; close when a ping stayed without its pong."""
        if self._unanswered and now_ns - next(iter(self._unanswered.values())) >= self.rules.pong_s * S:
            self.close(1008, "Pong timeout")
        elif now_ns >= self._next_ping_ns:
            self._next_ping_ns += self.rules.ping_s * S
            payload = str(now_ns // 1_000_000).encode()
            self._unanswered[payload] = now_ns
            self.outbox.append(Ping(payload))

    def close(self, code: int, reason: str) -> None:
        """End the connection; nothing is queued behind."""
        if not self.closed:
            self.closed = True
            self.outbox.append(Close(code, reason))

    def _too_many(self, now_ns: int) -> bool:
        """Count an incoming frame; over the limit the connection ends."""
        heard = self._heard
        while heard and heard[0] <= now_ns - S:
            heard.popleft()
        heard.append(now_ns)
        if len(heard) > self.rules.frames_per_s:
            self.close(1008, "Too many requests")
        return self.closed

    def _answer(self, answer: dict[str, object], identity: object) -> None:
        if identity is not NO_ID:
            answer["id"] = identity
        self.outbox.append(msgspec.json.encode(answer).decode())

    def _decode(self, text: str) -> dict[str, Any]:
        try:
            request = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise _Fault(3, "Invalid JSON: expected value at line 1 column 1") from None
        if not isinstance(request, dict) or "method" not in request:
            raise _Fault(2, f"Invalid request: missing field `method` at line 1 column {len(text)}")
        return request

    def _identity(self, request: dict[str, Any]) -> object:
        """Return the id to echo; futures take unsigned integers only, spot also text and null."""
        identity = request.get("id", NO_ID)
        if identity is NO_ID:
            return NO_ID
        if isinstance(identity, int) and not isinstance(identity, bool) and (identity >= 0 or self.rules.text_ids):
            return identity
        if self.rules.text_ids and (
            identity is None or (isinstance(identity, str) and identity.isalnum() and len(identity) <= 36)
        ):
            return identity
        raise _Fault(2, "Invalid request: request ID must be an unsigned integer")

    def _carry_out(self, request: dict[str, Any], column: int) -> object:
        method, params = request["method"], request.get("params", [])
        if method not in METHODS:
            known = ", ".join(f"`{name}`" for name in METHODS)
            raise _Fault(
                2, f"Invalid request: unknown variant `{method}`, expected one of {known} at line 1 column {column}"
            )
        if not isinstance(params, list):
            raise _Fault(2, f"Invalid request: invalid type, expected a sequence at line 1 column {column}")
        if method == "LIST_SUBSCRIPTIONS":
            return list(self.names)
        if method in ("SET_PROPERTY", "GET_PROPERTY"):
            return self._property(method, params)
        if not all(isinstance(name, str) for name in params):
            raise _Fault(2, f"Invalid request: invalid type, expected a string at line 1 column {column}")
        if method == "UNSUBSCRIBE":
            for name in params:
                self.names.pop(name, None)
                self._detach(self, name)
        elif not self.subscribe(params):
            raise _Fault(4, "Too many subscriptions")
        return None

    def _property(self, method: str, params: list[Any]) -> object:
        most = 2 if method == "SET_PROPERTY" else 1
        if not params or not isinstance(params[0], str):
            raise _Fault(2, "Invalid request: property name must be a string")
        if len(params) > most:
            raise _Fault(2, "Invalid request: too many parameters")
        if params[0] != "combined":
            raise _Fault(0, "Unknown property")
        if method == "GET_PROPERTY":
            return self.combined
        if len(params) < 2 or not isinstance(params[1], bool):
            raise _Fault(1, "Invalid value type: expected Boolean")
        self.combined = params[1]
        return None
