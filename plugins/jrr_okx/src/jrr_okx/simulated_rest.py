"""The simulated OKX's REST answers: `{"code":"0","msg":"","data":[...]}`, or an error code in its place.

What a client may fetch is offered to the truth: right where it is kept, no
loss where it is not. The faults `rest_429` and `stale_rest` strike the first
requests, and again the first ones after each connection that ends, so that they
meet what a client fetches to mend the loss.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from jrr_core.exact import plain
from jrr_core.testing.feed_script import Strikes
from jrr_core.testing.script import Reply
from jrr_core.wire import decode, encode

from .simulated_feed import MS, S, Trading
from .simulated_funding import funding
from .simulated_history import (
    Query,
    Refusal,
    candles,
    latest_trades,
    number,
    past_candles,
    past_trades,
    settled_funding,
)
from .simulated_states import mark_price, open_interest

_PER_NS = 2 * S
# Docs: servers may answer from caches of different age.
_STALE_NS = 2 * S
Answer = Callable[[Query, int], Sequence[object]]
History = Callable[[Trading, Query, int], Sequence[object]]


class Rest:
    """Answers GETs from the market; knows every instrument by its instId."""

    def __init__(self, tradings: Mapping[str, Trading], refused: int = 0, stale: int = 0) -> None:
        """Take what is traded, and how many requests are refused and how many told of the past from a stale cache."""
        self._tradings = tradings
        self._refusals, self._stale = Strikes(refused), Strikes(stale)
        self._asked: dict[tuple[str, str], deque[int]] = {}
        # Path: requests allowed in 2 s per IP and instrument or instrument type, and what answers it.
        self._routes: Mapping[str, tuple[int, Answer]] = {
            "/api/v5/public/instruments": (20, self._instruments),
            "/api/v5/public/time": (10, lambda _, now_ns: [{"ts": str(now_ns // MS)}]),
            "/api/v5/public/funding-rate": (10, self._funding),
            "/api/v5/public/mark-price": (10, self._mark_prices),
            "/api/v5/public/open-interest": (20, self._open_interests),
            "/api/v5/market/books": (40, self._book),
            "/api/v5/market/trades": (100, self._past(latest_trades)),
            "/api/v5/market/history-trades": (20, self._past(past_trades)),
            "/api/v5/market/candles": (40, self._past(candles)),
            "/api/v5/market/history-candles": (20, self._past(past_candles)),
            "/api/v5/public/funding-rate-history": (10, self._past(settled_funding)),
            "/api/v5/system/status": (1, lambda _, now_ns: []),
        }

    def strike_again(self) -> None:
        """Let the faults meet the next requests as they met the first."""
        self._refusals.again()
        self._stale.again()

    def heal(self) -> None:
        """Answer properly from now on."""
        self._refusals.end()
        self._stale.end()

    def get(self, path: str, query: Query, now_ns: int) -> Reply:
        """Answer one request, or refuse it as OKX does."""
        route = self._routes.get(path)
        if route is None:
            return Reply(404, encode({"code": "404", "data": {}, "detailMsg": "", "msg": "Not Found"}))
        limit, answer = route
        if self._refusals.hits() or not self._allowed(
            (path, query.get("instType") or query.get("instId") or ""), limit, now_ns
        ):
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

    def _past(self, history: History) -> Answer:
        """Return the answer of an endpoint that tells one instrument's past, of late or as of a moment ago."""

        def answer(query: Query, now_ns: int) -> Sequence[object]:
            trading = self._one(query)
            return history(trading, query, now_ns - _STALE_NS if self._stale.hits() else now_ns)

        return answer

    def _of_type(self, query: Query) -> list[Trading]:
        kind = query.get("instType", "")
        if kind not in ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"):
            raise Refusal("51000", "Parameter instType error")
        return [trading for trading in self._tradings.values() if trading.contract.type == kind and trading.listed]

    def _one(self, query: Query) -> Trading:
        trading = self._tradings.get(query.get("instId", ""))
        if trading is None or not trading.listed:
            raise Refusal("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
        return trading

    def _instruments(self, query: Query, now_ns: int) -> Sequence[object]:
        listed = self._of_type(query)
        for trading in listed:
            trading.truth.offer(trading.contract.instrument())
        return [trading.contract.row() for trading in listed]

    def _funding(self, query: Query, now_ns: int) -> Sequence[object]:
        trading = self._one(query)
        if trading.contract.type != "SWAP":
            raise Refusal("51000", "Parameter instId error")
        return [decode(funding(trading, now_ns)[0])]

    def _mark_prices(self, query: Query, now_ns: int) -> Sequence[object]:
        return [decode(mark_price(trading, now_ns)[0]) for trading in self._of_type(query)]

    def _open_interests(self, query: Query, now_ns: int) -> Sequence[object]:
        return [decode(open_interest(trading, now_ns)[0]) for trading in self._of_type(query)]

    def _book(self, query: Query, now_ns: int) -> Sequence[object]:
        trading = self._one(query)
        depth = min(number(query, "sz", 1), 400)
        bids, asks = trading.market.top(trading.contract.symbol, depth)
        return [{"asks": _rows(asks), "bids": _rows(bids), "ts": str(now_ns // MS)}]


def _rows(levels: Sequence[tuple[Decimal, Decimal]]) -> list[list[str]]:
    return [[plain(price), plain(amount), "0", "1"] for price, amount in levels]
