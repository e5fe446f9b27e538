"""Binance's payloads, one pure function each: a typed row in, an event out.

The only place that knows Binance's field names. Structs name the fields
needed and nothing else; decoding into them is the check. Times come as
milliseconds, or as microseconds where `timeUnit` asked for them.
Examples are frames of the fact sheet; the parser calls all of this.
"""

from decimal import Decimal
from typing import Annotated

from jrr_core.errors import ParseError
from jrr_core.events import (
    BookDelta,
    BookSnapshot,
    Candle,
    FundingRate,
    Liquidation,
    MarkPrice,
    OpenInterest,
    Quote,
    Side,
    Trade,
)
from jrr_core.exact import decimal, optional_decimal
from jrr_core.levels import Levels
from jrr_core.wire import Meta, Raw, Struct, decoder

# What a signed 64-bit column holds; Binance's largest, the futures book ids, are near 1.2e13.
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
# Text that becomes a symbol; the longest known has 21 characters.
Name = Annotated[str, Meta(min_length=1, max_length=64)]

_LAST_MS = 9_200_000_000_000
_FIRST_US = 100_000_000_000_000
_LAST_US = 9_200_000_000_000_000
_ZERO = Decimal(0)
_ORDINARY = ("", "MARKET")
_SIDES: dict[str, Side] = {"BUY": "buy", "SELL": "sell"}


def ns(time: int) -> int:
    """Return a Binance time as int ns UTC; raises ParseError for a number that is no time of this era."""
    if time < _LAST_MS:
        return time * 1_000_000
    if _FIRST_US < time < _LAST_US:
        return time * 1_000
    raise ParseError(f"not a time in milliseconds or microseconds: {time}")


class TradeRow(Struct, tag_field="e", tag="trade"):
    """A single trade (`t`)."""

    s: Name
    t: Count
    p: str
    q: str
    T: Count
    m: bool
    X: str = ""


class BlockTradeRow(TradeRow, tag="blockTrade"):
    """A block trade; its ids are a numbering of their own."""


class AggTradeRow(Struct, tag_field="e", tag="aggTrade"):
    """Fills of one taker order at one price (`a`)."""

    s: Name
    a: Count
    p: str
    q: str
    f: Count
    l: Count  # noqa: E741 - Binance's name
    T: Count
    m: bool


class QuoteRow(Struct):
    """The best bid and ask; spot sends no time."""

    s: Name
    u: Count
    b: str
    B: str
    a: str
    A: str
    T: Count | None = None
    st: int | None = None


class DepthRow(Struct, tag_field="e", tag="depthUpdate"):
    """A book update, or on futures also a whole top of book."""

    s: Name
    E: Count
    U: Count
    u: Count
    b: Raw
    a: Raw
    pu: Count | None = None
    T: Count | None = None


class SnapshotRow(Struct):
    """A REST book snapshot, or spot's top of book; only COIN-M names the symbol."""

    lastUpdateId: Annotated[int, Meta(ge=-1, le=2**63 - 1)]  # noqa: N815 - Binance's name
    bids: Raw
    asks: Raw
    E: Count | None = None
    T: Count | None = None
    symbol: Name | None = None


class CandlePart(Struct):
    """The `k` of a kline."""

    t: Count
    T: Count
    i: Name
    o: str
    h: str
    l: str  # noqa: E741 - Binance's name
    c: str
    v: str
    x: bool
    q: str | None = None
    n: Count | None = None


class CandleRow(Struct, tag_field="e", tag="kline"):
    """A kline."""

    E: Count
    s: Name
    k: CandlePart


class MarkRow(Struct):
    """Mark price, index price and the coming funding rate in one."""

    E: Count
    s: Name
    p: str | None = None
    i: str | None = None
    r: str | None = None
    T: Count | None = None
    st: int | None = None


class LiquidationPart(Struct):
    """The `o` of a forced order."""

    s: Name
    S: str
    q: str
    p: str
    T: Count
    ap: str | None = None
    z: str | None = None
    st: int | None = None


class LiquidationRow(Struct):
    """A forced order; `st` is sometimes here, sometimes in `o`, sometimes nowhere."""

    o: LiquidationPart
    st: int | None = None


class OpenInterestRow(Struct):
    """The REST answer to openInterest."""

    symbol: Name
    openInterest: str  # noqa: N815 - Binance's name
    time: Count | None = None


class ProblemRow(Struct):
    """A REST error."""

    code: int
    msg: str = ""


class Push(Struct):
    """A push whose payload says first of what kind it is: the most frequent ones do."""

    stream: str
    data: TradeRow | AggTradeRow | BlockTradeRow | DepthRow | CandleRow


_TRADE = ("e", "E", "M", "a", "b", "st")
_AGG_TRADE = ("e", "E", "M", "nq", "st")
_DEPTH = ("e", "ps", "st")
_CANDLE = ("e", "ps", "st", "B", "L", "Q", "V", "f", "s")
_IGNORED: dict[type, tuple[str, ...]] = {
    Push: (),
    TradeRow: _TRADE,
    AggTradeRow: _AGG_TRADE,
    BlockTradeRow: _TRADE,
    DepthRow: _DEPTH,
    CandleRow: _CANDLE,
    CandlePart: _CANDLE,
}
read_push = decoder(Push, _IGNORED)
read_trade = decoder(TradeRow, _TRADE)
read_agg_trade = decoder(AggTradeRow, _AGG_TRADE)
read_block_trade = decoder(BlockTradeRow, _TRADE)
read_quote = decoder(QuoteRow, ("e", "E", "ps", "st"))
read_depth = decoder(DepthRow, _DEPTH)
read_snapshot = decoder(SnapshotRow, ("pair",))
read_candle = decoder(CandleRow, _CANDLE)
read_mark = decoder(MarkRow, ("e", "P", "ap", "st"))
read_liquidation = decoder(LiquidationRow, ("e", "E", "X", "f", "l", "o", "ps", "st"))
read_open_interest = decoder(OpenInterestRow, ("pair", "contractType"))
_read_problem = decoder(ProblemRow)


def problem(payload: bytes | str) -> str:
    """Return what a REST error says, `{"code":-1121,"msg":"Invalid symbol."}`; of another text its beginning."""
    try:
        row = _read_problem(payload)
    except ParseError:
        text = payload if isinstance(payload, str) else payload.decode("ascii", "replace")
        return text[:120]
    return f"{row.code} {row.msg[:120]}"


def problem_code(payload: bytes | str) -> int | None:
    """Return the number of a REST error, None for what is none."""
    try:
        return _read_problem(payload).code
    except ParseError:
        return None


def trade(row: TradeRow, exchange: str, ts_recv: int) -> Trade | None:
    """Return the trade, None for a used-up id that is none.

    `{"e":"trade","E":1786183200055,"s":"BTCUSDT","t":6564147733,"p":"64994.31000000","q":"0.00330000",
    "T":1786183200055,"m":true,"M":true}`; futures add `"X"`: MARKET, INSURANCE_FUND, ADL, or NA with
    price and quantity "0". `m`: the buyer was the maker, so the taker sold.
    """
    price, amount = decimal(row.p), decimal(row.q)
    if row.X == "NA" or price <= _ZERO or amount <= _ZERO:
        return None
    kind = None if row.X in _ORDINARY else row.X.lower()
    return Trade(exchange, row.s, ns(row.T), ts_recv, price, amount, "sell" if row.m else "buy", str(row.t), 1, kind)


def block_trade(row: BlockTradeRow, exchange: str, ts_recv: int) -> Trade | None:
    """Return a block trade.

    `{"e":"blockTrade","E":1772506983582,"s":"BNBBTC","t":582,"p":"0.052","q":"5838","T":1772506983321,"m":true}`
    """
    event = trade(row, exchange, ts_recv)
    if event is not None:
        event.kind, event.id_space = "block", "block"
    return event


def agg_trade(row: AggTradeRow, exchange: str, ts_recv: int) -> Trade | None:
    """Return merged fills; `count` is how many trade ids are inside.

    `{"e":"aggTrade","E":1791382992488,"a":3477868433,"s":"BTCUSDT","p":"83091.70","q":"0.022","nq":"0.022",
    "f":8153634393,"l":8153634394,"T":1791382992338,"m":false,"st":1}`
    """
    price, amount = decimal(row.p), decimal(row.q)
    if price <= _ZERO or amount <= _ZERO:
        return None
    side: Side = "sell" if row.m else "buy"
    count = max(row.l - row.f + 1, 1)
    return Trade(exchange, row.s, ns(row.T), ts_recv, price, amount, side, str(row.a), count, None, "agg")


def quote(row: QuoteRow, exchange: str, ts_recv: int) -> Quote:
    """Return the best bid and ask; an empty side comes as zero price and amount.

    `{"u":98494969448,"s":"BTCUSDT","b":"63704.00000000","B":"4.77471000","a":"63704.01000000","A":"11.33198000"}`;
    futures add `"e"`, `"T"`, `"E"`, `"st"`.
    """
    bid, bid_amount = decimal(row.b), decimal(row.B)
    ask, ask_amount = decimal(row.a), decimal(row.A)
    event = Quote(
        exchange, row.s, None if row.T is None else ns(row.T), ts_recv, bid, bid_amount, ask, ask_amount, row.u
    )
    if not (bid or bid_amount):
        event.bid_price = event.bid_amount = None
    if not (ask or ask_amount):
        event.ask_price = event.ask_amount = None
    return event


def delta(row: DepthRow, exchange: str, ts_recv: int) -> BookDelta:
    """Return changed levels.

    `{"e":"depthUpdate","E":1788376136014,"s":"BTCUSDT","U":99588317538,"u":99588317663,
    "b":[["77381.36000000","1.29993000"]],"a":[["77381.83000000","0.00000000"]]}`; futures add `"T"` and
    `"pu"`, the `u` this one continues. Levels are in no particular order.
    """
    if row.u < row.U:
        raise ParseError(f"a book update from id {row.U} to the lower {row.u}")
    when = ns(row.E if row.T is None else row.T)
    bids, asks = Levels.from_json(bytes(row.b)), Levels.from_json(bytes(row.a))
    return BookDelta(exchange, row.s, when, ts_recv, bids, asks, row.U, row.u, row.pu)


def futures_top(row: DepthRow, exchange: str, ts_recv: int, depth: int) -> BookSnapshot:
    """Return the best `depth` levels; futures send them in the shape of a delta, complete each time."""
    when = ns(row.E if row.T is None else row.T)
    bids, asks = Levels.from_json(bytes(row.b)), Levels.from_json(bytes(row.a))
    return BookSnapshot(exchange, row.s, when, ts_recv, bids, asks, depth, row.u)


def snapshot(row: SnapshotRow, exchange: str, symbol: str, ts_recv: int, depth: int | None) -> BookSnapshot:
    """Return a whole book (`depth` None), or spot's best `depth` levels.

    `{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[["0.0026","100"]]}`; futures add `"E"` and `"T"`,
    COIN-M `"symbol"` and `"pair"` too.
    """
    time = row.E if row.T is None else row.T
    bids, asks = Levels.from_json(bytes(row.bids)), Levels.from_json(bytes(row.asks))
    when = None if time is None else ns(time)
    return BookSnapshot(exchange, symbol, when, ts_recv, bids, asks, depth, row.lastUpdateId)


def candle(row: CandleRow, exchange: str, ts_recv: int, offset: str) -> Candle:
    """Return a candle; `offset` is the boundary outside UTC that the stream was asked for, "" for UTC.

    `{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{"t":1672515780000,"T":1672515839999,"s":"BNBBTC","i":"1m",
    "f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":false,
    "q":"1.0000","V":"500","Q":"0.500","B":"123456"}}`
    """
    k = row.k
    return Candle(
        exchange, row.s, ns(row.E), ts_recv,
        f"{k.i}@{offset}" if offset else k.i, ns(k.t), ns(k.T),
        decimal(k.o), decimal(k.h), decimal(k.l), decimal(k.c), decimal(k.v), optional_decimal(k.q), k.n, k.x,
    )  # fmt: skip


def mark_price(row: MarkRow, exchange: str, ts_recv: int) -> MarkPrice | None:
    """Return mark and index price, None where the row has no mark.

    `{"e":"markPriceUpdate","E":1791382993000,"s":"BTCUSDT","p":"83084.30000000","ap":"83084.30000000",
    "P":"83195.15881449","i":"83123.65891304","r":"0.00000078","T":1791388800000,"st":1}`
    """
    price = optional_decimal(row.p)
    if price is None:
        return None
    return MarkPrice(exchange, row.s, ns(row.E), ts_recv, price, optional_decimal(row.i))


def funding(row: MarkRow, exchange: str, ts_recv: int) -> FundingRate | None:
    """Return the running estimate for the next settlement; None for contracts without funding (`r` "" or `T` 0)."""
    rate = optional_decimal(row.r)
    if rate is None or not row.T:
        return None
    return FundingRate(exchange, row.s, ns(row.E), ts_recv, rate, ns(row.T), True)


def liquidation(row: LiquidationRow, exchange: str, ts_recv: int) -> Liquidation:
    """Return a forced order at its average fill price and filled amount; the order's own where nothing filled yet.

    `{"e":"forceOrder","E":1786172557615,"o":{"s":"STGUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"5","p":"0.1336000",
    "ap":"0.1355000","X":"FILLED","l":"5","z":"5","T":1786172556607,"ps":"STGUSDT","st":1}}`
    """
    order = row.o
    price = optional_decimal(order.ap) or decimal(order.p)
    amount = optional_decimal(order.z) or decimal(order.q)
    return Liquidation(exchange, order.s, ns(order.T), ts_recv, price, amount, _SIDES.get(order.S), None)


def open_interest(row: OpenInterestRow, exchange: str, ts_recv: int) -> OpenInterest:
    """Return open contracts.

    `{"symbol":"BTCUSDT","openInterest":"95744.938","time":1791382984119}`
    """
    when = None if row.time is None else ns(row.time)
    return OpenInterest(exchange, row.symbol, when, ts_recv, decimal(row.openInterest), None)
