"""A capture of Kraken's served to clients: subscribe, unsubscribe and ping, each symbol answered by itself.

Documentation: WebSocket API v2. Frames of books do not tell their depth: who
subscribes to a book gets the one that was recorded.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jrr_core.errors import ParseError
from jrr_core.wire import Struct, decode, decoder, encode

from .products import WS_PATH

_TIME = "1970-01-01T00:00:00.000000Z"


class _Row(Struct):
    symbol: str = ""
    interval: int = 0


class _Push(Struct):
    channel: str = ""
    data: tuple[_Row, ...] = ()


_read = decoder(_Push)


def topic_of(payload: str) -> str | None:
    """Return channel, minutes of candles, and symbol; None for an answer, a status and a heartbeat."""
    push = _read(payload)
    if not push.data or not push.data[0].symbol:
        return None
    return _topic(push.channel, push.data[0].interval, push.data[0].symbol)


def reception(path: str) -> "KrakenReception | None":
    """Return what receives a client of /v2."""
    return KrakenReception() if path == WS_PATH else None


class KrakenReception:
    """One client."""

    def __init__(self) -> None:
        """Begin without topics."""
        self.topics: set[str] = set()

    def hear(self, text: str) -> Sequence[str]:
        """Answer a request, symbol by symbol: `{"method":"subscribe","success":true,"result":{..},"req_id":1}`."""
        try:
            request = decode(text)
        except ParseError:
            request = None
        if not isinstance(request, dict):
            return [encode({"error": "Malformed request", "success": False})]
        method, parameters = request.get("method"), request.get("params")
        named = {"req_id": request["req_id"]} if "req_id" in request else {}
        times = {"time_in": _TIME, "time_out": _TIME}
        if method == "ping":
            return [encode({"method": "pong", **named, **times})]
        if not isinstance(parameters, dict):
            parameters = {}
        symbols = parameters.get("symbol")
        if method not in ("subscribe", "unsubscribe") or not isinstance(symbols, list):
            return [encode({"method": method, **named, "error": "Method not found", "success": False, **times})]
        return [
            encode({"method": method, **named, "result": self._turn(method, parameters, str(symbol)), "success": True,
                    **times})
            for symbol in symbols
        ]  # fmt: skip

    def _turn(self, method: str, parameters: Mapping[str, Any], symbol: str) -> Mapping[str, Any]:
        channel, interval = str(parameters.get("channel")), parameters.get("interval", 1)
        topic = _topic(channel, interval if channel == "ohlc" else 0, symbol)
        if method == "subscribe":
            self.topics.add(topic)
        else:
            self.topics.discard(topic)
        return {**parameters, "symbol": symbol}

    def shaped(self, payload: str) -> str:
        """Return the frame as it is."""
        return payload


def _topic(channel: str, minutes: int, symbol: str) -> str:
    return f"{channel}:{minutes}:{symbol}" if channel == "ohlc" else f"{channel}:{symbol}"
