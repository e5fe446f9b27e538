"""One pure function per OKX payload: the text of a push in, events out.

Everything is text in OKX's messages, times too (ms), except the sequence
numbers of books; "" stands for nothing. Every function raises ParseError for
a payload that is not as its example shows. Called by the parser only.
"""

from collections.abc import Collection
from decimal import Decimal
from typing import Literal

from jrr_core.errors import ParseError
from jrr_core.events import (
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
from jrr_core.wire import Raw, Struct, decoder

from .products import EXCHANGE

Payload = str | bytes
# The largest numbers that fit the 64-bit integers of stores; times are stored in ns.
MOST_INT = 2**63 - 1
_MOST_MS = MOST_INT // 1_000_000


def whole(text: str) -> int:
    """Return a whole number written in plain digits; raises ParseError for anything else."""
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or (number := int(text)) > MOST_INT:
        raise ParseError(f"not a whole number: {text[:60]!r}")
    return number


def moment(text: str | None) -> int | None:
    """Return a time in ms as ns, None where OKX sent none; raises ParseError for anything but digits."""
    if not text:
        return None
    ms = whole(text)
    if ms > _MOST_MS:
        raise ParseError(f"not a time in ms: {text!r}")
    return ms * 1_000_000


def sequence_number(number: int | None) -> int:
    """Return a sequence number; raises ParseError where it is missing or no store could hold it."""
    if number is None:
        raise ParseError("no seqId (data recorded before OKX numbered its books cannot be chained)")
    if not 0 <= number <= MOST_INT:
        raise ParseError(f"not a sequence number: {number}")
    return number


class Level(Struct, array_like=True):
    """The first two columns of a price level; the deprecated third and the order count are left out."""

    price: str
    amount: str


def levels(rows: Raw) -> Levels:
    """Return price levels as they stand; raises ParseError if a number is not one."""
    return Levels.from_json(bytes(rows))


class TradeRow(Struct, rename="camel"):
    """A row of `trades` or `trades-all`."""

    trade_id: str
    px: str
    sz: str
    side: Literal["buy", "sell", ""]
    ts: str | None = None
    count: str | None = None
    source: str | None = None


class _TradePush(Struct):
    data: list[TradeRow]


trade_push = decoder(_TradePush, ("arg", "instId", "seqId"))


def trades(symbol: str, space: str | None, payload: Payload, ts_recv: int) -> list[Trade]:
    """Read trades; `count` fills of one taker end in `tradeId`, source "1" is an RPI order.

    A push answers the subscribing with the last known trade, which may be old.

    `{"arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP",
    "tradeId":"2832749645","px":"63913.4","sz":"34.95","side":"sell","ts":"1786540436090",
    "count":"10","source":"0","seqId":333793118093}]}`
    """
    return [
        Trade(
            EXCHANGE,
            symbol,
            moment(row.ts),
            ts_recv,
            decimal(row.px),
            decimal(row.sz),
            row.side or None,
            row.trade_id,
            _fills(row),
            "rpi" if row.source == "1" else None,
            space,
        )
        for row in trade_push(payload).data
    ]


def _fills(row: TradeRow) -> int:
    """Return how many fills a row is made of: the ids behind `tradeId - count` up to `tradeId`."""
    last = whole(row.trade_id)
    if row.count is None or row.count in ("", "1"):
        return 1
    count = whole(row.count)
    if not 1 <= count <= last + 1:
        raise ParseError(f"trade {row.trade_id} cannot be made of {count} fills")
    return count


class _BestRow(Struct, rename="camel"):
    asks: list[Level]
    bids: list[Level]
    ts: str | None = None
    seq_id: int | None = None


class _BestPush(Struct):
    data: list[_BestRow]


class _TopRow(Struct, rename="camel"):
    asks: Raw
    bids: Raw
    ts: str | None = None
    seq_id: int | None = None


class _TopPush(Struct):
    data: list[_TopRow]


_best_push = decoder(_BestPush, ("arg", "instId", "instType"))
_top_push = decoder(_TopPush, ("arg", "instId", "instType"))


def _optional_sequence(number: int | None) -> int | None:
    return None if number is None else sequence_number(number)


def _best(rows: list[Level]) -> tuple[Decimal | None, Decimal | None]:
    return (decimal(rows[0].price), decimal(rows[0].amount)) if rows else (None, None)


def quotes(symbol: str, payload: Payload, ts_recv: int) -> list[Quote]:
    """Read the best bid and ask; a side without orders is None.

    `{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[["105252.6","0.16271274","0","5"]],
    "bids":[["105252.5","1.1133491","0","19"]],"ts":"1749044565306","seqId":55729075884}]}`
    """
    return [
        Quote(
            EXCHANGE,
            symbol,
            moment(row.ts),
            ts_recv,
            *_best(row.bids),
            *_best(row.asks),
            _optional_sequence(row.seq_id),
        )
        for row in _best_push(payload).data
    ]


def top_books(symbol: str, payload: Payload, ts_recv: int) -> list[BookSnapshot]:
    """Read the best five levels a side; each push replaces the one before.

    `{"arg":{"channel":"books5","instId":"BTC-USDT-SWAP"},"data":[{"asks":[["63921.5","790.41","0","42"],...],
    "bids":[...],"instId":"BTC-USDT-SWAP","ts":"1786541241006","seqId":333794734980}]}`
    """
    return [
        BookSnapshot(
            EXCHANGE,
            symbol,
            moment(row.ts),
            ts_recv,
            levels(row.bids),
            levels(row.asks),
            5,
            _optional_sequence(row.seq_id),
        )
        for row in _top_push(payload).data
    ]


class BookRow(_TopRow, rename="camel"):
    """A snapshot or an update of `books`, with the number of the update before it."""

    prev_seq_id: int | None = None


class BookPush(Struct):
    """A push of `books`.

    `{"arg":{"channel":"books","instId":"SOL-USDT"},"action":"update","data":[{"asks":[["120.67","60.475897","0","5"]],
    "bids":[["120.66","0","0","0"]],"ts":"1790394877300","checksum":0,"seqId":32032594315,"prevSeqId":32032594283}]}`;
    the checksum is the constant 0 since 2026-06-23.
    """

    action: Literal["snapshot", "update"]
    data: list[BookRow]


book_push = decoder(BookPush, ("arg", "checksum"))


class _CandlePush(Struct):
    data: list[list[str]]


_candle_push = decoder(_CandlePush, ("arg",))


def candles(symbol: str, interval: str, payload: Payload, ts_recv: int) -> list[Candle]:
    """Read rows of time, open, high, low, close, vol, volCcy, volCcyQuote, confirm ("1" when closed).

    `{"arg":{"channel":"candle1m","instId":"BTC-USDT-SWAP"},"data":[["1786540440000","63913.0","63951.8","63913.0",
    "63951.8","1803.61","18.0361","1153203.99426000","0"]]}`; vol is in contracts, or the base of a spot pair.
    """
    events = []
    for row in _candle_push(payload).data:
        if len(row) < 9 or row[8] not in ("0", "1"):
            raise ParseError(f"not a candle: {str(row)[:120]}")
        opened = moment(row[0])
        if opened is None:
            raise ParseError("a candle without its time")
        events.append(
            Candle(
                EXCHANGE,
                symbol,
                None,
                ts_recv,
                interval,
                opened,
                None,
                decimal(row[1]),
                decimal(row[2]),
                decimal(row[3]),
                decimal(row[4]),
                decimal(row[5]),
                optional_decimal(row[7]),
                None,
                row[8] == "1",
            )
        )
    return events


class _FundingRow(Struct, rename="camel"):
    funding_rate: str | None = None
    funding_time: str | None = None
    method: str | None = None
    ts: str | None = None


class _FundingPush(Struct):
    data: list[_FundingRow]


_funding_push = decoder(
    _FundingPush,
    (
        "arg",
        "formulaType",
        "impactValue",
        "instId",
        "instType",
        "interestRate",
        "maxFundingRate",
        "minFundingRate",
        "nextFundingRate",
        "nextFundingTime",
        "premium",
        "prevFundingTime",
        "settFundingRate",
        "settState",
        "method",
        "ts",
    ),
)


def funding_rates(symbol: str, payload: Payload, ts_recv: int) -> list[FundingRate]:
    """Read the rate that will be paid at fundingTime; none while OKX has not computed one ("").

    `{"arg":{"channel":"funding-rate","instId":"BTC-USDT-SWAP"},"data":[{"fundingRate":"-0.0004270396398519",
    "fundingTime":"1785888000000","method":"current_period","nextFundingRate":"","settState":"settled",
    "settFundingRate":"-0.0001996513270201","ts":"1785870855692",...}]}`; with method current_period it
    moves until it is paid, with next_period (out of use) it was fixed a period ahead.
    """
    return [
        FundingRate(
            EXCHANGE,
            symbol,
            moment(row.ts),
            ts_recv,
            decimal(row.funding_rate),
            moment(row.funding_time),
            row.method != "next_period",
        )
        for row in _funding_push(payload).data
        if row.funding_rate
    ]


class _SettlementRow(Struct, rename="camel"):
    funding_rate: str
    funding_time: str
    realized_rate: str = ""


class _Settlements(Struct):
    data: list[_SettlementRow]


_settlements = decoder(_Settlements)


def settlements(symbol: str, payload: Payload, ts_recv: int) -> list[FundingRate]:
    """Read the rates that were paid: realizedRate, or fundingRate where there is none.

    `{"code":"0","msg":"","data":[{"instType":"SWAP","instId":"BTC-USDT-SWAP","fundingRate":"0.0000746604960499",
    "realizedRate":"0.0000746572360545","fundingTime":"1703059200000","method":"current_period",
    "formulaType":"noRate"}]}`
    """
    return [
        FundingRate(EXCHANGE, symbol, settled, ts_recv, decimal(row.realized_rate or row.funding_rate),
                    settled - settled % 10**9, False)
        for row in _settlements(payload).data
        if (settled := moment(row.funding_time)) is not None
    ]  # fmt: skip


class _MarkRow(Struct, rename="camel"):
    mark_px: str | None = None
    ts: str | None = None


class _MarkPush(Struct):
    data: list[_MarkRow]


_mark_push = decoder(_MarkPush, ("arg", "instId", "instType"))


def mark_prices(symbol: str, payload: Payload, ts_recv: int) -> list[MarkPrice]:
    """Read mark prices; the index is another channel of OKX's and not in here.

    `{"arg":{"channel":"mark-price","instId":"BTC-USDT-SWAP"},"data":[{"instType":"SWAP",
    "instId":"BTC-USDT-SWAP","markPx":"42310.6","ts":"1630049455539"}]}`
    """
    return [
        MarkPrice(EXCHANGE, symbol, moment(row.ts), ts_recv, decimal(row.mark_px), None)
        for row in _mark_push(payload).data
        if row.mark_px
    ]


class _InterestRow(Struct, rename="camel"):
    oi: str | None = None
    oi_usd: str | None = None
    ts: str | None = None


class _InterestPush(Struct):
    data: list[_InterestRow]


_interest_push = decoder(_InterestPush, ("arg", "instId", "instType", "oiCcy", "oiUsd"))


def open_interests(symbol: str, payload: Payload, ts_recv: int) -> list[OpenInterest]:
    """Read open interest in contracts and its worth in USD.

    `{"arg":{"channel":"open-interest","instId":"BTC-USDT-SWAP"},"data":[{"instType":"SWAP",
    "instId":"BTC-USDT-SWAP","oi":"5000","oiCcy":"555.55","oiUsd":"50000","ts":"1743041250440"}]}`
    """
    return [
        OpenInterest(EXCHANGE, symbol, moment(row.ts), ts_recv, decimal(row.oi), optional_decimal(row.oi_usd))
        for row in _interest_push(payload).data
        if row.oi
    ]


class _Forced(Struct, rename="camel"):
    bk_px: str | None = None
    sz: str | None = None
    side: Literal["buy", "sell", ""] = ""
    pos_side: str | None = None
    ts: str | None = None


class _ForcedRow(Struct, rename="camel"):
    inst_id: str
    details: list[_Forced]


class _ForcedPush(Struct):
    data: list[_ForcedRow]


_forced_push = decoder(_ForcedPush, ("arg", "bkLoss", "ccy", "instFamily", "instType", "uly"))
_CLOSING: dict[str | None, Side] = {"long": "sell", "short": "buy"}


def liquidations(wanted: Collection[str] | None, payload: Payload, ts_recv: int) -> list[Liquidation]:
    """Read the liquidations of `wanted` symbols (None: all); the price is the bankruptcy price, not the fill.

    `{"arg":{"channel":"liquidation-orders","instType":"SWAP"},"data":[{"details":[{"bkLoss":"0","bkPx":"0.4162",
    "ccy":"","posSide":"short","side":"buy","sz":"2137","ts":"1789669898955"}],"instFamily":"CNPY-USDT",
    "instId":"CNPY-USDT-SWAP","instType":"SWAP","uly":"CNPY-USDT"}]}`; an order without price or size is left out.
    """
    return [
        Liquidation(
            EXCHANGE,
            row.inst_id,
            moment(order.ts),
            ts_recv,
            decimal(order.bk_px),
            decimal(order.sz),
            order.side or _CLOSING.get(order.pos_side),
            None,
        )
        for row in _forced_push(payload).data
        if wanted is None or row.inst_id in wanted
        for order in row.details
        if order.bk_px and order.sz
    ]
