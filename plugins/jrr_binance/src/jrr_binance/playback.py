"""A capture of Binance's served to clients: combined and raw streams, SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS.

Documentation: "WebSocket Streams", section "Live Subscribing/Unsubscribing to
streams". Captures hold combined frames, `{"stream":"btcusdt@trade","data":{..}}`.
"""

from collections.abc import Sequence
from urllib.parse import parse_qs

from jrr_core.errors import ParseError
from jrr_core.wire import Raw, Struct, decode, decoder, encode


class _Combined(Struct):
    stream: str = ""
    data: Raw = Raw()


_read = decoder(_Combined)


def topic_of(payload: str) -> str | None:
    """Return the name of the stream; None for an answer."""
    return _read(payload).stream or None


def reception(path: str, query: str) -> "BinanceReception | None":
    """Return what receives a client of /stream?streams=a/b or /ws/a/b, also behind a futures path."""
    at, _, names = path.strip("/").partition("ws/") if "ws/" in path else (path.strip("/"), "", "")
    place = at.strip("/").rpartition("/")[2]
    if names:
        return BinanceReception(names.split("/"), combined=False)
    if place not in ("stream", "ws"):
        return None
    streams = parse_qs(query.replace("+", "%2B")).get("streams", [""])[0]
    return BinanceReception([name for name in streams.split("/") if name], combined=place == "stream")


class BinanceReception:
    """One client; `combined` says whether frames name their stream."""

    def __init__(self, names: Sequence[str], combined: bool) -> None:
        """Begin with the streams of the address."""
        self.topics = set(names)
        self._combined = combined

    def hear(self, text: str) -> Sequence[str]:
        """Answer a request: `{"result":null,"id":1}`."""
        try:
            request = decode(text)
        except ParseError:
            request = None
        if not isinstance(request, dict) or not isinstance(request.get("params", []), list):
            return [encode({"error": {"code": 3, "msg": "Invalid JSON"}})]
        names = [str(name) for name in request.get("params", [])]
        named = {"id": request["id"]} if "id" in request else {}
        match request.get("method"):
            case "SUBSCRIBE":
                self.topics.update(names)
            case "UNSUBSCRIBE":
                self.topics.difference_update(names)
            case "LIST_SUBSCRIPTIONS":
                return [encode({"result": sorted(self.topics), **named})]
            case method:
                return [encode({"error": {"code": 2, "msg": f"Invalid request: {method}"}, **named})]
        return [encode({"result": None, **named})]

    def shaped(self, payload: str) -> str:
        """Return the frame, or of raw streams what is in it."""
        return payload if self._combined else bytes(_read(payload).data).decode()
