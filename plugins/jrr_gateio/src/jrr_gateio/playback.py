"""A capture of Gate's served to clients: subscribe, unsubscribe and ping.

Documentation: "Gate WebSocket v4" of spot and of futures. Candles and `obu` name their stream in the result,
`"n":"1m_BTC_USDT"` and `"s":"ob.BTC_USDT.400"`; other channels a pair: `s`, `currency_pair` or `contract`.
"""

from collections.abc import Sequence

from jrr_core.errors import ParseError
from jrr_core.wire import Struct, decode, decoder, encode

from .frames import one_or_many, push
from .products import Product

_HEAD = {"time": 0, "time_ms": 0, "conn_id": "playback"}


class _Row(Struct):
    n: str = ""
    s: str = ""
    currency_pair: str = ""
    contract: str = ""


_rows = decoder(list[_Row])


def topic_of(payload: str) -> str | None:
    """Return channel and pair; None for an answer, a pong and notices."""
    found = push(payload)
    if found.event not in ("update", "all") or not bytes(found.result):
        return None
    rows = _rows(one_or_many(found.result))
    if not rows:
        return None
    row = rows[0]
    target = row.n or row.currency_pair or row.contract or row.s
    return f"{found.channel}:{target}" if target else None


def reception(path: str, product: Product) -> "GateReception | None":
    """Return what receives a client."""
    return GateReception(product) if path.rstrip("/") == product.ws_path.rstrip("/") else None


class GateReception:
    """One client of a product."""

    def __init__(self, product: Product) -> None:
        """Begin without topics."""
        self.topics: set[str] = set()
        self._prefix = product.prefix

    def hear(self, text: str) -> Sequence[str]:
        """Answer a request: `{"channel":"spot.trades","event":"subscribe","result":{"status":"success"}}`."""
        try:
            request = decode(text)
        except ParseError:
            request = None
        channel = request.get("channel") if isinstance(request, dict) else None
        if channel == f"{self._prefix}.ping":
            return [encode({**_HEAD, "channel": f"{self._prefix}.pong", "event": "", "result": None})]
        if not isinstance(request, dict) or not isinstance(channel, str):
            error = {"code": 1, "message": "invalid argument struct"}
            return [encode({**_HEAD, "channel": "", "error": error, "result": {"status": "fail"}})]
        kept = {name: request[name] for name in ("id", "channel", "event", "payload") if name in request}
        event, payload = request.get("event"), request.get("payload")
        if event not in ("subscribe", "unsubscribe") or not isinstance(payload, list) or not payload:
            error = {"code": 2, "message": "invalid argument"}
            return [encode({**_HEAD, **kept, "error": error, "result": {"status": "fail"}})]
        topics = {f"{channel}:{target}" for target in _targets(channel, [str(part) for part in payload])}
        self.topics = self.topics | topics if event == "subscribe" else self.topics - topics
        return [encode({**_HEAD, **kept, "result": {"status": "success"}})]

    def shaped(self, payload: str) -> str:
        """Return the frame as it is."""
        return payload


def _targets(channel: str, payload: Sequence[str]) -> Sequence[str]:
    """Return what frames name as their stream, of a request's payload."""
    if channel.endswith(".candlesticks"):
        return ["_".join(payload[:2])]
    return payload[:1] if channel.endswith(".order_book_update") else payload
