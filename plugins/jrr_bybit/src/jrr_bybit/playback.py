"""A capture of Bybit's served to clients: subscribe, unsubscribe and ping.

Documentation: v5, "Connect", sections "How to Subscribe to Topics" and "How to Send Heartbeat Packet".
"""

from collections.abc import Sequence

from jrr_core.errors import ParseError
from jrr_core.wire import Struct, decode, decoder, encode

_CONNECTION = "playback"


class _Push(Struct):
    topic: str = ""


_read = decoder(_Push)


def topic_of(payload: str) -> str | None:
    """Return the topic; None for an answer."""
    return _read(payload).topic or None


def reception(path: str, category: str) -> "BybitReception | None":
    """Return what receives a client of /v5/public/<category>."""
    return BybitReception() if path == f"/v5/public/{category}" else None


class BybitReception:
    """One client."""

    def __init__(self) -> None:
        """Begin without topics."""
        self.topics: set[str] = set()

    def hear(self, text: str) -> Sequence[str]:
        """Answer a request: `{"success":true,"ret_msg":"","conn_id":"..","req_id":"..","op":"subscribe"}`."""
        try:
            request = decode(text)
        except ParseError:
            request = None
        if not isinstance(request, dict):
            return [encode({"success": False, "ret_msg": "Invalid request", "conn_id": _CONNECTION, "op": ""})]
        operation, topics = request.get("op"), request.get("args")
        named = {"req_id": request["req_id"]} if "req_id" in request else {}
        success, words = True, ""
        if operation == "ping":
            words = "pong"
        elif operation == "subscribe" and isinstance(topics, list):
            self.topics.update(map(str, topics))
        elif operation == "unsubscribe" and isinstance(topics, list):
            self.topics.difference_update(map(str, topics))
        else:
            success, words = False, "error:invalid op"
        return [encode({"success": success, "ret_msg": words, "conn_id": _CONNECTION, **named, "op": operation})]

    def shaped(self, payload: str) -> str:
        """Return the frame as it is."""
        return payload
