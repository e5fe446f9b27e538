"""Binance's payloads of the past, as REST gives them: one pure function each, the events that streams would have had.

The answers name no symbol and their fields are named and ordered unlike the
streams'; all else of `messages` holds. Called by `history`.
"""

from typing import Annotated

from jrr_core.events import Candle, FundingRate, Trade
from jrr_core.exact import decimal, optional_decimal
from jrr_core.wire import Meta, Struct, decoder

from . import messages

_CountOrNone = Annotated[int, Meta(ge=-1, le=2**63 - 1)]


class OldTradeRow(Struct):
    """A single trade of a REST answer, which names no symbol."""

    id: messages.Count
    price: str
    qty: str
    time: messages.Count
    isBuyerMaker: bool  # noqa: N815 - Binance's name


class OldAggregateRow(Struct):
    """Merged fills of a REST answer; of ids used up without a trade, `f` and `l` are -1."""

    a: messages.Count
    p: str
    q: str
    f: _CountOrNone
    l: _CountOrNone  # noqa: E741 - Binance's name
    T: messages.Count
    m: bool


class OldCandleRow(Struct, array_like=True):
    """A candle of a REST answer; the columns behind these are left out."""

    opened: messages.Count
    open: str
    high: str
    low: str
    close: str
    volume: str
    closed: messages.Count
    quote_volume: str
    trade_count: messages.Count


class SettlementRow(Struct):
    """A settled funding rate."""

    fundingTime: messages.Count  # noqa: N815 - Binance's name
    fundingRate: str  # noqa: N815


read_old_trades = decoder(list[OldTradeRow])
read_old_aggregates = decoder(list[OldAggregateRow])
read_old_candles = decoder(list[OldCandleRow])
read_settlements = decoder(list[SettlementRow])


def old_trade(row: OldTradeRow, symbol: str, exchange: str, ts_recv: int) -> Trade | None:
    """Return the trade as its stream would have brought it, None for a used-up id that is none.

    `{"id":28457,"price":"4.00000100","qty":"12.0","quoteQty":"48.00","time":1499865549590,"isBuyerMaker":true,
    "isBestMatch":true}`
    """
    same = messages.TradeRow(symbol, row.id, row.price, row.qty, row.time, row.isBuyerMaker)
    return messages.trade(same, exchange, ts_recv)


def old_aggregate(row: OldAggregateRow, symbol: str, exchange: str, ts_recv: int) -> Trade | None:
    """Return merged fills as their stream would have brought them, None for a used-up id.

    `{"a":3477868380,"p":"83084.30","q":"0.002","nq":"0.002","f":8153634282,"l":8153634282,"T":1791382990569,"m":true}`;
    spot has `"M"` and no `"nq"`.
    """
    same = messages.AggTradeRow(symbol, row.a, row.p, row.q, row.f, row.l, row.T, row.m)
    return messages.agg_trade(same, exchange, ts_recv)


def old_candle(row: OldCandleRow, symbol: str, exchange: str, ts_recv: int, interval: str) -> Candle:
    """Return a candle as closed, which the answer does not say; the exchange's clock is not in it either.

    `[1672515780000,"0.0010","0.0025","0.0015","0.0020","1000",1672515839999,"1.0000",100,"500","0.500","0"]`
    """
    return Candle(
        exchange, symbol, None, ts_recv, interval, messages.ns(row.opened), messages.ns(row.closed),
        decimal(row.open), decimal(row.high), decimal(row.low), decimal(row.close), decimal(row.volume),
        optional_decimal(row.quote_volume), row.trade_count, True,
    )  # fmt: skip


def settlement(row: SettlementRow, symbol: str, exchange: str, ts_recv: int) -> FundingRate:
    """Return the rate that was paid; it is booked a few ms after the full second it was announced for.

    `{"symbol":"BTCUSDT","fundingTime":1791331200002,"fundingRate":"-0.00000743","markPrice":"85516.50151449",
    "rateType":"Regular"}`
    """
    settled = messages.ns(row.fundingTime)
    return FundingRate(exchange, symbol, settled, ts_recv, decimal(row.fundingRate), settled - settled % 10**9, False)
