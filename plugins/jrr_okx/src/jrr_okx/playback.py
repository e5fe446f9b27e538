"""A capture of OKX's served to clients: subscribe, unsubscribe and ping, each argument answered by itself.

Documentation: "WebSocket", sections "Connect", "Subscribe" and "Unsubscribe".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jrr_core.errors import ParseError
from jrr_core.wire import Struct, decode, decoder, encode

from .products import PATHS, RULES

_CONNECTION = "playback"


class _Push(Struct):
    event: str = ""
    arg: dict[str, Any] | None = None


_read = decoder(_Push)


def topic_of(payload: str) -> str | None:
    """Return channel and target; None for an answer and for pong."""
    if payload == "pong":
        return None
    push = _read(payload)
    return None if push.event or not push.arg else _topic(push.arg)


def reception(path: str) -> "OkxReception | None":
    """Return what receives a client of /ws/v5/public or /ws/v5/business."""
    return OkxReception() if path.removeprefix("/ws/v5/") in PATHS else None


class OkxReception:
    """One client."""

    def __init__(self) -> None:
        """Begin without topics."""
        self.topics: set[str] = set()

    def hear(self, text: str) -> Sequence[str]:
        """Answer a request: `{"event":"subscribe","arg":{..},"connId":".."}`."""
        if text == "ping":
            return ["pong"]
        try:
            request = decode(text)
        except ParseError:
            request = None
        arguments = request.get("args") if isinstance(request, dict) else None
        operation = request.get("op") if isinstance(request, dict) else None
        if (
            operation not in ("subscribe", "unsubscribe")
            or not isinstance(arguments, list)
            or not all(isinstance(each, dict) for each in arguments)
        ):
            return [encode({"event": "error", "code": "60012", "msg": "Invalid request", "connId": _CONNECTION})]
        topics = {_topic(argument) for argument in arguments}
        self.topics = self.topics | topics if operation == "subscribe" else self.topics - topics
        named = {"id": request["id"]} if "id" in request else {}
        return [encode({**named, "event": operation, "arg": arg, "connId": _CONNECTION}) for arg in arguments]

    def shaped(self, payload: str) -> str:
        """Return the frame as it is."""
        return payload


def _topic(argument: Mapping[str, Any]) -> str:
    channel = str(argument.get("channel", ""))
    rule = RULES.get(channel)
    return f"{channel}:{argument.get('instId' if rule is None else rule.argument, '')}"
