"""One pure function per Bybit payload: the data of a push in, events out.

Prices and amounts are text, times ms. Key order differs by product, so
everything is read by name. Every function raises ParseError for data that is
not as its example shows. Called by the parser only.
"""

from typing import Annotated, Literal

from jrr_core.errors import ParseError
from jrr_core.events import Candle, FundingRate, Liquidation, Quote, Side, Trade
from jrr_core.exact import decimal
from jrr_core.levels import Levels
from jrr_core.pages import Grid
from jrr_core.wire import Meta, Raw, Struct, decoder

from .products import Product

NS_PER_MS = 1_000_000
# What the 64-bit integers of stores can hold; times are stored in ns.
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_MOST_MS = (2**63 - 1) // NS_PER_MS
Millis = Annotated[int, Meta(ge=0, le=_MOST_MS)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
_SIDES: dict[str, Side] = {"Buy": "buy", "Sell": "sell"}
# A liquidation names the position that was closed, an event the order that closed it.
_CLOSING: dict[str, Side] = {"Buy": "sell", "Sell": "buy"}


class Push(Struct):
    """Any frame of Bybit's: a push has `topic` and `data`, an answer `op`.

    `{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[...]}` or
    `{"success":true,"ret_msg":"","conn_id":"..","req_id":"a1","op":"subscribe"}`
    """

    topic: str | None = None
    type: str | None = None
    ts: Millis | None = None
    cts: Millis | None = None
    data: Raw = Raw()
    op: str | None = None
    success: bool | None = None
    ret_msg: str | None = None
    req_id: str | None = None


push = decoder(Push, ("conn_id", "cs"))


def moment(ms: int | None) -> int | None:
    """Return a time in ms as ns."""
    return None if ms is None else ms * NS_PER_MS


def millis(text: str) -> int:
    """Return a time written as text, in ms, as ns; raises ParseError for anything but digits."""
    if not (text.isascii() and text.isdigit()) or len(text) > 13 or int(text) > _MOST_MS:
        raise ParseError(f"not a time in ms: {text[:60]!r}")
    return int(text) * NS_PER_MS


class TradeRow(Struct):
    """A row of `publicTrade`."""

    T: Millis
    s: Name
    S: Literal["Buy", "Sell"]
    v: str
    p: str
    i: Name
    BT: bool = False
    RPI: bool = False


_trades = decoder(list[TradeRow], ("L", "seq", "BT", "RPI", "mP", "iP", "mIv", "iv"))


def trades(product: Product, frame: Push, ts_recv: int) -> list[Trade]:
    """Read trades; `S` is the taker's side.

    `{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,"s":"BTCUSDT",
    "S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick","i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false,
    "RPI":false,"seq":1783284617}]}`; the id is a number as text on spot.
    """
    return [
        Trade(
            product.exchange, row.s, row.T * NS_PER_MS, ts_recv, decimal(row.p), decimal(row.v), _SIDES[row.S], row.i,
            kind="block" if row.BT else "rpi" if row.RPI else None,
        )
        for row in _trades(frame.data)
    ]  # fmt: skip


class BookData(Struct):
    """The data of `orderbook`: `u` counts the pushes, `seq` is the matching engine's.

    `{"topic":"orderbook.500.XRPUSDT","type":"delta","ts":1733011200693,"data":{"s":"XRPUSDT","b":[["1.9531","6198"]],
    "a":[["1.9535","8415"]],"u":1001,"seq":250001},"cts":1733011200690}`
    """

    s: Name
    b: Raw
    a: Raw
    u: Number
    seq: Annotated[int, Meta(ge=0, le=2**62)]


book_data = decoder(BookData, ("seq", "cts"))


def levels(rows: Raw) -> Levels:
    """Return one side of a book; raises ParseError if a level is none."""
    return Levels.from_json(bytes(rows))


def quote(product: Product, frame: Push, data: BookData, sequence: int, ts_recv: int) -> Quote:
    """Return the best bid and ask of `orderbook.1`; a side without orders is None."""
    best = [side[0] if (side := levels(rows)) else None for rows in (data.b, data.a)]
    (bid_price, bid_amount), (ask_price, ask_amount) = (
        (None, None) if row is None else (decimal(row[0]), decimal(row[1])) for row in best
    )
    return Quote(
        product.exchange, data.s, moment(frame.cts if frame.cts is not None else frame.ts), ts_recv,
        bid_price, bid_amount, ask_price, ask_amount, sequence,
    )  # fmt: skip


class CandleRow(Struct):
    """A row of `kline`."""

    start: Millis
    end: Millis
    open: str
    close: str
    high: str
    low: str
    volume: str
    turnover: str
    confirm: bool
    timestamp: Millis


_candles = decoder(list[CandleRow], ("interval",))


def candles(product: Product, symbol: str, interval: str, frame: Push, ts_recv: int) -> list[Candle]:
    """Read candles; `confirm` closes one.

    `{"topic":"kline.5.BTCUSDT","data":[{"start":1672324800000,"end":1672325099999,"interval":"5","open":"16649.5",
    "close":"16677","high":"16677","low":"16608","volume":"2.081","turnover":"34666.4005","confirm":false,
    "timestamp":1672324988882}],"ts":1672324988882,"type":"snapshot"}`
    """
    rows = _candles(frame.data)
    if any(row.end < row.start for row in rows):
        raise ParseError("a candle that ends before it begins")
    return [
        Candle(
            product.exchange, symbol, row.timestamp * NS_PER_MS, ts_recv, interval, row.start * NS_PER_MS,
            row.end * NS_PER_MS, decimal(row.open), decimal(row.high), decimal(row.low), decimal(row.close),
            decimal(row.volume), decimal(row.turnover) if product.quoted_turnover else None, None, row.confirm,
        )
        for row in rows
    ]  # fmt: skip


class LiquidationRow(Struct):
    """A row of `allLiquidation`."""

    T: Millis
    s: Name
    S: Literal["Buy", "Sell"]
    v: str
    p: str


_liquidations = decoder(list[LiquidationRow], ())


def liquidations(product: Product, frame: Push, ts_recv: int) -> list[Liquidation]:
    """Read liquidations; `S` "Buy" is a long position, closed by selling, and `p` the bankruptcy price.

    `{"topic":"allLiquidation.ICPUSDT","type":"snapshot","ts":1789670094412,"data":[{"T":1789670094099,"s":"ICPUSDT",
    "S":"Buy","v":"19.7","p":"2.585"}]}`
    """
    return [
        Liquidation(
            product.exchange, row.s, row.T * NS_PER_MS, ts_recv, decimal(row.p), decimal(row.v), _CLOSING[row.S], None
        )
        for row in _liquidations(frame.data)
    ]


class _CandleResult(Struct):
    list: list[tuple[str, str, str, str, str, str, str]]


class _CandleAnswer(Struct):
    result: _CandleResult
    time: Millis


_candle_answer = decoder(_CandleAnswer)


def past_candles(product: Product, symbol: str, interval: str, payload: str | bytes, ts_recv: int) -> list[Candle]:
    """Read /v5/market/kline: rows of start, open, high, low, close, volume and turnover, the open candle among them.

    `{"retCode":0,"retMsg":"OK","result":{"symbol":"BTCUSDT","category":"linear","list":[["1672324800000","16649.5",
    "16677","16608","16677","2.081","34666.4005"]]},"time":1672325988882}`; a row is closed when the answer was
    given after its end.
    """
    answer, grid = _candle_answer(payload), Grid.of(f"candle_{interval}")
    events = []
    for start, open_, high, low, close, volume, turnover in answer.result.list:
        opened = millis(start)
        behind = grid.next(opened)
        events.append(
            Candle(
                product.exchange, symbol, None, ts_recv, interval, opened, behind - NS_PER_MS, decimal(open_),
                decimal(high), decimal(low), decimal(close), decimal(volume),
                decimal(turnover) if product.quoted_turnover else None, None, behind <= answer.time * NS_PER_MS,
            )
        )  # fmt: skip
    return events


class _SettledRow(Struct, rename="camel"):
    funding_rate: str
    funding_rate_timestamp: str


class _SettledResult(Struct):
    list: list[_SettledRow]


class _SettledAnswer(Struct):
    result: _SettledResult


_settled = decoder(_SettledAnswer)


def settlements(product: Product, symbol: str, payload: str | bytes, ts_recv: int) -> list[FundingRate]:
    """Read /v5/market/funding/history: rates that were paid.

    `{"retCode":0,"retMsg":"OK","result":{"category":"linear","list":[{"symbol":"ETHPERP","fundingRate":"0.0001",
    "fundingRateTimestamp":"1672041600000"}]},"time":1672051897447}`
    """
    return [
        FundingRate(product.exchange, symbol, settled, ts_recv, decimal(row.funding_rate), settled, False)
        for row in _settled(payload).result.list
        if (settled := millis(row.funding_rate_timestamp))
    ]


class TickerData(Struct, rename="camel"):
    """The data of `tickers`, as far as events are made of it; None where a delta leaves a field as it was.

    `{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT","markPrice":"17217.33",
    "indexPrice":"17227.36","openInterest":"68744.761","openInterestValue":"1183601235.91","fundingRate":"-0.000212",
    "nextFundingTime":"1673280000000",...},"cs":24987956059,"ts":1673272861686}`
    """

    symbol: Name
    mark_price: str | None = None
    index_price: str | None = None
    open_interest: str | None = None
    open_interest_value: str | None = None
    funding_rate: str | None = None
    next_funding_time: str | None = None


ticker_data = decoder(
    TickerData,
    (
        "ask1Price",
        "ask1Size",
        "bid1Price",
        "bid1Size",
        "ask1Iv",
        "bid1Iv",
        "lastPrice",
        "fundingIntervalHour",
        "tickDirection",
        "price24hPcnt",
        "prevPrice24h",
        "highPrice24h",
        "lowPrice24h",
        "prevPrice1h",
        "turnover24h",
        "volume24h",
        "basis",
        "basisRate",
        "deliveryFeeRate",
        "predictedDeliveryPrice",
        "deliveryTime",
        "preOpenPrice",
        "preQty",
        "curPreListingPhase",
        "usdIndexPrice",
        "fundingCap",
    ),
)
