"""Where Kraken keeps the past: trades from a time on, and the last 720 candles of each interval.

Pure: what is asked next is the business of `jrr_core.backfill`. Errors come
with HTTP 200. Candles are listed for intervals with trades only, so one that is
not listed between others was empty.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar
from urllib.parse import quote

from attrs import evolve

from jrr_core.backfill import Backfill, Refusal
from jrr_core.endpoints import Answer, CandlesByTime, TradesByTime
from jrr_core.errors import ParseError
from jrr_core.events import Candle, Side, Trade
from jrr_core.exact import decimal
from jrr_core.frame import Frame, Hole, HttpGet, Request
from jrr_core.wire import Raw, Struct, decoder

from .instruments import rest_pair
from .messages import NS_PER_S, Number, number_text
from .products import EXCHANGE, MINUTES, MOST_CANDLES, MOST_TRADES

_SIDES: dict[str, Side] = {"b": "buy", "s": "sell"}
# Docs, "REST error messages": these pass.
_BUSY = ("EAPI:Rate limit", "EGeneral:Too many requests", "EService:Unavailable", "EService:Busy", "EGeneral:Temporary")


class _Trades(Struct):
    result: dict[str, Raw]


class _Trade(Struct, array_like=True):
    """`["30243.40000","0.34507674",1688669597.8277369,"b","m","",61044952]`."""

    price: str
    volume: str
    time: Raw
    side: str
    kind: str
    misc: str
    trade_id: Number


class _Candle(Struct, array_like=True):
    """`[1688671200,"30306.1","30306.2","30305.7","30305.7","30306.1","3.39243896",23]`."""

    time: Number
    open: str
    high: str
    low: str
    close: str
    vwap: str
    volume: str
    count: Number


class _Error(Struct):
    error: list[str] = []  # noqa: RUF012 - a Struct copies its defaults


_answer, _error = decoder(_Trades), decoder(_Error)
_trades, _candles = decoder(list[_Trade]), decoder(list[_Candle])


def _rows(payload: str | bytes) -> Raw:
    """Return the rows of an answer: under the pair's REST name, beside the cursor `last`."""
    found = [rows for name, rows in _answer(payload).result.items() if name != "last"]
    if len(found) != 1:
        raise ParseError(f"an answer about {len(found)} pairs")
    return found[0]


class Trades(TradesByTime):
    """Trades from a time on, a thousand an answer, as far back as there are any."""

    name: ClassVar[str] = "/0/public/Trades"
    older: ClassVar[str | None] = None
    most: ClassVar[int] = MOST_TRADES

    def __init__(self, rest_url: str) -> None:
        """Take the address of REST."""
        self._rest_url = rest_url

    def request(self, hole: Hole) -> HttpGet:
        """`since` is a time in ns; the last trade before the hole may have happened at the same one."""
        since = max((hole.ts_from or 0) - 1, 0)
        query = f"pair={quote(rest_pair(hole.symbol))}&since={since}&count={self.most}"
        return HttpGet(f"{self._rest_url}{self.name}?{query}", "", 1, EXCHANGE)

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read trades."""
        return self.answer(hole, [(row.trade_id, _trade(row, hole, frame)) for row in _trades(_rows(frame.payload))])


def _trade(row: _Trade, hole: Hole, frame: Frame) -> Trade:
    """Return a trade; REST tells more digits of its time than the socket, of which microseconds are kept."""
    side = _SIDES.get(row.side)
    if side is None:
        raise ParseError(f"a trade whose side is {row.side[:20]!r}")
    ts = int(decimal(number_text(row.time)) * 1_000_000) * 1000
    if not 0 <= ts < 2**63:
        raise ParseError(f"a trade at {number_text(row.time)[:40]!r}")
    price, volume = decimal(row.price), decimal(row.volume)
    return Trade(EXCHANGE, hole.symbol, ts, frame.ts_recv, price, volume, side, str(row.trade_id))


class Candles(CandlesByTime):
    """The last 720 candles, whatever is asked; `since` is exclusive."""

    name: ClassVar[str] = "/0/public/OHLC"
    older: ClassVar[str | None] = None
    most: ClassVar[int] = MOST_CANDLES - 1

    def __init__(self, rest_url: str) -> None:
        """Take the address of REST."""
        self._rest_url = rest_url

    def request(self, hole: Hole) -> HttpGet:
        """Everything from the first one missing on."""
        minutes = MINUTES.get(hole.channel.removeprefix("candle_"), 1)
        query = f"pair={quote(rest_pair(hole.symbol))}&interval={minutes}&since={hole.first // NS_PER_S - 1}"
        return HttpGet(f"{self._rest_url}{self.name}?{query}", "", 1, EXCHANGE)

    def read(self, hole: Hole, frame: Frame) -> Answer:
        """Read candles; the newest one is still open, and what no row is about was empty.

        Not so what is older than Kraken keeps: 720 intervals before the newest,
        or before the first row of a full answer.
        """
        rows = sorted(_candles(_rows(frame.payload)), key=lambda row: row.time)
        found = [_candle(row, hole, frame.ts_recv, row is not rows[-1]) for row in rows]
        answer = self.answer(hole, found)
        kept_from = _kept_from(hole, found)
        listed = set(answer.listed)
        empty = [time for time in answer.known if time >= kept_from and time not in listed]
        return evolve(answer, listed=[*answer.listed, *empty], unused=empty)


def _kept_from(hole: Hole, found: Sequence[Candle]) -> int:
    """Return from when on (int ns) an answer lists every candle with trades."""
    if not found:
        return 0
    step = MINUTES[hole.channel.removeprefix("candle_")] * 60 * NS_PER_S
    kept = found[-1].open_time - (MOST_CANDLES - 1) * step
    return max(kept, found[0].open_time) if len(found) >= MOST_CANDLES else kept


def _candle(row: _Candle, hole: Hole, ts_recv: int, closed: bool) -> Candle:
    numbers = (decimal(text) for text in (row.open, row.high, row.low, row.close, row.volume))
    open_, high, low, close, volume = numbers
    opened = row.time * NS_PER_S
    if opened >= 2**63:
        raise ParseError(f"a candle at {row.time}")
    return Candle(
        EXCHANGE, hole.symbol, None, ts_recv, hole.channel.removeprefix("candle_"), opened, None, open_, high, low,
        close, volume, None, row.count, closed,
    )  # fmt: skip


def backfill(rest_url: str, ask: Callable[[Request], None], replay: bool) -> Backfill:
    """Return the way to Kraken's past; `ask` takes requests, of which a replay makes none."""
    rest_url = rest_url.rstrip("/")
    return Backfill((Trades(rest_url), Candles(rest_url)), _first, _refused, ask, replay)


def _first(hole: Hole) -> str | None:
    """Return the endpoint for a hole; trades can be asked for only where it is known when the hole began."""
    if hole.channel == "trade":
        return Trades.name if hole.ts_from is not None else None
    return Candles.name if hole.channel.removeprefix("candle_") in MINUTES else None


def _refused(frame: Frame) -> Refusal | None:
    if frame.status != 200:
        return Refusal(f"HTTP {frame.status}")
    errors: Iterable[str] = _error(frame.payload).error
    reason = ", ".join(errors)[:200]
    if not reason:
        return None
    return Refusal(reason, "again" if reason.startswith(_BUSY) else "never")
