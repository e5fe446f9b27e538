"""The simulated OKX's REST answers: `{"code":"0","msg":"","data":[...]}`, or an error code in its place.

What a client may fetch is offered to the truth: right where it is kept, no
loss where it is not.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from jrr_core.exact import plain
from jrr_core.testing.market import MarketTrade
from jrr_core.testing.script import Reply
from jrr_core.wire import decode, encode

from .simulated_states import funding, mark_price, open_interest
from .simulated_streams import MS, S, Trading

_PER_NS = 2 * S
Answer = Callable[[Mapping[str, str], int], Sequence[object]]


class Refusal(Exception):  # noqa: N818 - says what it is to the client
    """An error of OKX's: its code and message."""


class Rest:
    """Answers GETs from the market; knows every instrument by its instId."""

    def __init__(self, tradings: Mapping[str, Trading]) -> None:
        """Take what is traded."""
        self._tradings = tradings
        self._asked: dict[tuple[str, str], deque[int]] = {}
        # Path: requests allowed in 2 s per IP and instrument or instrument type, and what answers it.
        self._routes: Mapping[str, tuple[int, Answer]] = {
            "/api/v5/public/instruments": (20, self._instruments),
            "/api/v5/public/time": (10, lambda _, now_ns: [{"ts": str(now_ns // MS)}]),
            "/api/v5/public/funding-rate": (10, self._funding),
            "/api/v5/public/mark-price": (10, self._mark_prices),
            "/api/v5/public/open-interest": (20, self._open_interests),
            "/api/v5/market/books": (40, self._book),
            "/api/v5/market/trades": (100, self._trades),
            "/api/v5/market/history-trades": (20, self._history),
            "/api/v5/system/status": (1, lambda _, now_ns: []),
        }

    def get(self, path: str, query: Mapping[str, str], now_ns: int) -> Reply:
        """Answer one request, or refuse it as OKX does."""
        route = self._routes.get(path)
        if route is None:
            return Reply(404, encode({"code": "404", "data": {}, "detailMsg": "", "msg": "Not Found"}))
        limit, answer = route
        if not self._allowed((path, query.get("instType") or query.get("instId") or ""), limit, now_ns):
            return Reply(429, encode({"code": "50011", "msg": "Too Many Requests", "data": []}))
        try:
            return Reply(200, encode({"code": "0", "msg": "", "data": answer(query, now_ns)}))
        except Refusal as refusal:
            code, message = refusal.args
            return Reply(200, encode({"code": code, "msg": message, "data": []}))

    def _allowed(self, what: tuple[str, str], limit: int, now_ns: int) -> bool:
        asked = self._asked.setdefault(what, deque())
        while asked and now_ns - asked[0] >= _PER_NS:
            asked.popleft()
        if len(asked) >= limit:
            return False
        asked.append(now_ns)
        return True

    def _of_type(self, query: Mapping[str, str]) -> list[Trading]:
        kind = query.get("instType", "")
        if kind not in ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"):
            raise Refusal("51000", "Parameter instType error")
        return [trading for trading in self._tradings.values() if trading.contract.type == kind]

    def _one(self, query: Mapping[str, str]) -> Trading:
        trading = self._tradings.get(query.get("instId", ""))
        if trading is None:
            raise Refusal("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
        return trading

    def _instruments(self, query: Mapping[str, str], now_ns: int) -> Sequence[object]:
        listed = self._of_type(query)
        for trading in listed:
            trading.truth.offer(trading.contract.instrument())
        return [trading.contract.row() for trading in listed]

    def _funding(self, query: Mapping[str, str], now_ns: int) -> Sequence[object]:
        trading = self._one(query)
        if trading.contract.type != "SWAP":
            raise Refusal("51000", "Parameter instId error")
        return [decode(funding(trading, now_ns)[0])]

    def _mark_prices(self, query: Mapping[str, str], now_ns: int) -> Sequence[object]:
        return [decode(mark_price(trading, now_ns)[0]) for trading in self._of_type(query)]

    def _open_interests(self, query: Mapping[str, str], now_ns: int) -> Sequence[object]:
        return [decode(open_interest(trading, now_ns)[0]) for trading in self._of_type(query)]

    def _book(self, query: Mapping[str, str], now_ns: int) -> Sequence[object]:
        trading = self._one(query)
        depth = min(_number(query, "sz", 1), 400)
        bids, asks = trading.market.top(trading.contract.symbol, depth)
        return [{"asks": _rows(asks), "bids": _rows(bids), "ts": str(now_ns // MS)}]

    def _trades(self, query: Mapping[str, str], now_ns: int) -> Sequence[object]:
        trading = self._one(query)
        limit = min(_number(query, "limit", 100), 500)
        return [
            _fill(trading, trade) for trade in reversed(trading.market.trades(trading.contract.symbol, limit=limit))
        ]

    def _history(self, query: Mapping[str, str], now_ns: int) -> Sequence[object]:
        """Page by trade id: `after` is older than, `before` newer than, newest first."""
        trading = self._one(query)
        limit = min(_number(query, "limit", 100), 100)
        oldest, newest = _number(query, "before", 0), _number(query, "after", 2**62)
        trades = trading.market.trades(trading.contract.symbol, oldest + 1, limit=10**9)
        return [_fill(trading, trade) for trade in reversed([t for t in trades if t.trade_id < newest][-limit:])]


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit()):
        raise Refusal("51000", f"Parameter {name} error")
    return int(text)


def _rows(levels: Sequence[tuple[Decimal, Decimal]]) -> list[list[str]]:
    return [[plain(price), plain(amount), "0", "1"] for price, amount in levels]


def _fill(trading: Trading, trade: MarketTrade) -> Mapping[str, str]:
    return {
        "instId": trading.contract.symbol, "tradeId": str(trade.trade_id), "px": plain(trade.price),
        "sz": plain(trade.amount), "side": trade.side, "source": "0", "ts": str(trade.ts // MS),
    }  # fmt: skip
