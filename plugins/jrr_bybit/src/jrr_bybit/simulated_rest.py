"""The simulated Bybit's REST answers: `{"retCode":0,"retMsg":"OK","result":{..},"time":..}`, or an error in its place.

What a client may fetch is offered to the truth: right where it is kept, no
loss where it is not. The fault `rest_403` strikes the first requests, and again
the first ones after each connection that ends, so that it meets what a client
fetches to mend the loss.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from jrr_core.events import FundingRate
from jrr_core.exact import plain
from jrr_core.pages import Grid
from jrr_core.testing.feed_script import Strikes
from jrr_core.testing.script import Reply
from jrr_core.wire import encode

from .products import INTERVALS, MOST_CANDLES, MOST_RATES, Product
from .simulated_candles import WEEK_OFFSET_NS, candle_event, candle_numbers
from .simulated_feeds import MS, S, Trading

Query = Mapping[str, str]
_T = TypeVar("_T")
# Docs, "Rate limit": 600 requests in 5 s per IP.
_MOST_REQUESTS, _PER_NS = 600, 5 * S
_PAGE = 2
_NEVER_MS = 1 << 50


class _Wrong(Exception):  # noqa: N818 - says what it is to the client
    """A parameter that Bybit refuses."""


class Rest:
    """Answers GETs from the market of one product."""

    def __init__(self, product: Product, tradings: Mapping[str, Trading], refused: int) -> None:
        """Take what is traded, and how many requests are refused."""
        self._product = product
        self._tradings = tradings
        self._strikes = Strikes(refused)
        self._asked: deque[int] = deque()
        self._routes: Mapping[str, Callable[[Query, int], Mapping[str, object]]] = {
            "/v5/market/time": lambda _, now_ns: {"timeSecond": str(now_ns // S), "timeNano": str(now_ns)},
            "/v5/market/instruments-info": self._instruments,
            "/v5/market/kline": self._candles,
            "/v5/market/funding/history": self._funding,
        }

    def strike_again(self) -> None:
        """Let the fault meet the next requests as it met the first."""
        self._strikes.again()

    def heal(self) -> None:
        """Answer properly from now on."""
        self._strikes.end()

    def get(self, path: str, query: Query, now_ns: int) -> Reply:
        """Answer one request, or refuse it as Bybit does."""
        route = self._routes.get(path)
        if route is None:
            return Reply(404, "404 page not found")
        while self._asked and now_ns - self._asked[0] >= _PER_NS:
            self._asked.popleft()
        self._asked.append(now_ns)
        if self._strikes.hits() or len(self._asked) > _MOST_REQUESTS:
            return Reply(403, "access too frequent")
        head: dict[str, object] = {"retCode": 0, "retMsg": "OK"}
        try:
            result = route(query, now_ns)
        except _Wrong as wrong:
            head, result = {"retCode": 10001, "retMsg": f"params error: {wrong}"}, {}
        return Reply(200, encode({**head, "result": result, "retExtInfo": {}, "time": now_ns // MS}))

    def _instruments(self, query: Query, now_ns: int) -> Mapping[str, object]:
        """List what trades, derivatives in pages of two, so that a client has to turn some."""
        self._category(query)
        contracts = [trading.contract for trading in self._tradings.values()]
        if query.get("status", "Trading") != "Trading":
            contracts = []
        start = _number(query, "cursor", 0)
        page = contracts[start : start + _PAGE] if self._product.derivative else contracts
        more = self._product.derivative and start + _PAGE < len(contracts)
        for contract in page:
            self._tradings[contract.symbol].truth.offer(contract.instrument())
        return {
            "category": self._product.category, "list": [contract.row() for contract in page],
            "nextPageCursor": str(start + _PAGE) if more else "",
        }  # fmt: skip

    def _candles(self, query: Query, now_ns: int) -> Mapping[str, object]:
        """List candles, the open one among them, newest first."""
        trading, native = self._one(query), query.get("interval", "")
        interval = INTERVALS.get(native)
        span = None if interval is None else interval_ns(interval)
        if interval is None or span is None:
            raise _Wrong("interval")
        offset = WEEK_OFFSET_NS * (native == "W")
        closed = trading.market.closed_candles(trading.symbol, span, -1, now_ns, offset)
        candles = [*closed, trading.market.candle(trading.symbol, span, now_ns, offset)]
        page = _page(candles, [candle.open_time for candle in candles], query, "start", "end", MOST_CANDLES)
        for candle in page:
            if candle.close_time <= now_ns:
                trading.truth.offer(candle_event(trading, interval, candle, None, now_ns))
        rows = [[str(candle.open_time // MS), *candle_numbers(trading.contract, candle)] for candle in page]
        return {"symbol": trading.symbol, "category": self._product.category, "list": rows}

    def _funding(self, query: Query, now_ns: int) -> Mapping[str, object]:
        """List settlements, newest first."""
        trading = self._one(query)
        if not trading.contract.funded:
            raise _Wrong("symbol has no funding")
        period = trading.funding_ns
        times = [(now_ns // period - back) * period for back in reversed(range(MOST_RATES))]
        page = _page(times, times, query, "startTime", "endTime", MOST_RATES)
        exchange, rows = self._product.exchange, []
        for settled in page:
            rate = settled_rate(settled, period)
            trading.truth.offer(FundingRate(exchange, trading.symbol, settled, now_ns, rate, settled, predicted=False))
            rows.append(
                {"symbol": trading.symbol, "fundingRate": plain(rate), "fundingRateTimestamp": str(settled // MS)}
            )
        return {"category": self._product.category, "list": rows}

    def _category(self, query: Query) -> None:
        if query.get("category") != self._product.category:
            raise _Wrong("category")

    def _one(self, query: Query) -> Trading:
        self._category(query)
        trading = self._tradings.get(query.get("symbol", ""))
        if trading is None:
            raise _Wrong("symbol invalid")
        return trading


def interval_ns(interval: str) -> int | None:
    """Return the length of an interval; None for months, which have none."""
    if interval == "1M":
        return None
    grid = Grid.of(f"candle_{interval}")
    return grid.next(WEEK_OFFSET_NS) - WEEK_OFFSET_NS


def settled_rate(settled_ns: int, period_ns: int) -> Decimal:
    """Return the rate paid at a settlement: other than the one before, and the same whenever it is asked for."""
    return Decimal(settled_ns // period_ns * 7 % 401 - 100) * Decimal("0.000001")


def _number(query: Query, name: str, default: int) -> int:
    text = query.get(name) or str(default)
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise _Wrong(name)
    return int(text)


def _page(rows: Sequence[_T], times: Sequence[int], query: Query, start: str, end: str, most: int) -> list[_T]:
    """Return the newest rows between two times (ms, inclusive), newest first."""
    least, greatest = _number(query, start, 0) * MS, _number(query, end, _NEVER_MS) * MS
    found = [row for row, time in zip(rows, times, strict=True) if least <= time <= greatest]
    limit = max(1, min(_number(query, "limit", 200), most))
    return list(reversed(found[-limit:]))
