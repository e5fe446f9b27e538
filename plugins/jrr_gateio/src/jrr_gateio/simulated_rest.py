"""The simulated Gate's REST answers: bare arrays and objects; refusals with a label and a status that is not 200.

What a client may fetch is offered to the truth. The fault `rest_429` strikes
the first requests, and again the first ones after each connection that ends, so
that it meets what a client fetches to mend the loss.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from jrr_core.events import FundingRate
from jrr_core.exact import plain
from jrr_core.pages import Grid
from jrr_core.testing.feed_script import Strikes
from jrr_core.testing.script import Reply
from jrr_core.wire import encode

from .products import API, FUNDING_PATH, INTERVALS, MOST_CANDLES, MOST_RATES, TIME_PATH, Product
from .simulated_books import seed
from .simulated_feeds import MS, S, Trading, candle_event, candle_row

Query = Mapping[str, str]


class _Wrong(Exception):  # noqa: N818 - says what it is to the client
    """A request that Gate refuses, by its label."""


class Rest:
    """Answers GETs from the market of one product."""

    def __init__(self, product: Product, tradings: Mapping[str, Trading], refused: int) -> None:
        """Take what is traded, and how many requests are refused."""
        self._product = product
        self._tradings = tradings
        self._strikes = Strikes(refused)
        self._routes: dict[str, Callable[[Query, int], object]] = {
            TIME_PATH: lambda _, now_ns: {"server_time": now_ns // MS},
            product.instruments_path: self._instruments,
            product.book_path: self._book,
            product.candles_path: self._candles,
        }
        if product.futures:
            self._routes[FUNDING_PATH] = self._funding

    def strike_again(self) -> None:
        """Let the fault meet the next requests as it met the first."""
        self._strikes.again()

    def heal(self) -> None:
        """Answer properly from now on."""
        self._strikes.end()

    def get(self, path: str, query: Query, now_ns: int) -> Reply:
        """Answer one request, or refuse it as Gate does."""
        route = self._routes.get(path.removeprefix(API)) if path.startswith(API) else None
        if route is None:
            return Reply(404, encode({"label": "NOT_FOUND", "message": "url not exists"}))
        if self._strikes.hits():
            return Reply(429, encode({"label": "TOO_MANY_REQUESTS", "message": "Request Rate limit Exceeded"}))
        try:
            return Reply(200, encode(route(query, now_ns)))
        except _Wrong as wrong:
            return Reply(400, encode({"label": str(wrong), "message": "not possible"}))

    def _instruments(self, query: Query, now_ns: int) -> object:
        """List all contracts."""
        for trading in self._tradings.values():
            trading.truth.offer(trading.contract.instrument())
        return [trading.contract.row() for trading in self._tradings.values()]

    def _one(self, query: Query) -> Trading:
        trading = self._tradings.get(query.get(self._product.symbol_field, ""))
        if trading is None:
            raise _Wrong("CONTRACT_NOT_FOUND" if self._product.futures else "INVALID_CURRENCY_PAIR")
        return trading

    def _book(self, query: Query, now_ns: int) -> object:
        return seed(self._one(query), now_ns)

    def _candles(self, query: Query, now_ns: int) -> object:
        """List candles between two times, the open one among them, oldest first."""
        trading, interval = self._one(query), query.get("interval", "")
        if interval not in INTERVALS:
            raise _Wrong("INVALID_PARAM_VALUE")
        span = interval_ns(interval)
        closed = trading.market.closed_candles(trading.symbol, span, -1, now_ns)
        candles = [*closed, trading.market.candle(trading.symbol, span, now_ns)]
        first, last = _number(query, "from", 0) * S, _number(query, "to", now_ns // S) * S
        page = [candle for candle in candles if first <= candle.open_time <= last][:MOST_CANDLES]
        rows: list[object] = []
        for candle in page:
            over = candle.close_time <= now_ns
            if over:
                trading.truth.offer(candle_event(trading, interval, candle, None, now_ns))
            row = candle_row(self._product, candle)
            rows.append(row if self._product.futures else _columns(row, over))
        return rows

    def _funding(self, query: Query, now_ns: int) -> object:
        """List settlements, newest first."""
        trading, period = self._one(query), self._one(query).funding_ns
        first, last = _number(query, "from", 0) * S, _number(query, "to", now_ns // S) * S
        times = [(now_ns // period - back) * period for back in range(MOST_RATES)]
        rows = []
        for settled in [time for time in times if first <= time <= last]:
            rate = settled_rate(settled, period)
            exchange = self._product.exchange
            trading.truth.offer(FundingRate(exchange, trading.symbol, settled, now_ns, rate, settled, predicted=False))
            rows.append({"r": plain(rate), "t": settled // S})
        return rows


def interval_ns(interval: str) -> int:
    """Return the length of an interval."""
    return Grid.of(f"candle_{interval}").next(0)


def settled_rate(settled_ns: int, period_ns: int) -> Decimal:
    """Return the rate paid at a settlement: other than the one before, and the same whenever it is asked for."""
    return Decimal(settled_ns // period_ns * 7 % 401 - 100) * Decimal("0.000001")


def _columns(row: Mapping[str, object], over: bool) -> Sequence[object]:
    """Return a spot candle as REST lists it."""
    return [row["t"], row["v"], row["c"], row["h"], row["l"], row["o"], row["a"], "true" if over else "false"]


def _number(query: Query, name: str, default: int) -> int:
    text = query.get(name) or str(default)
    if not (text.isascii() and text.isdigit()) or len(text) > 12:
        raise _Wrong("INVALID_PARAM_VALUE")
    return int(text)
