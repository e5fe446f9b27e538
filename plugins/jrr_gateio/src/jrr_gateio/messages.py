"""Trades, quotes, tickers and settled funding: one pure function per payload, the result of a push in, events out.

Every function raises ParseError for a result that is not as its example shows.
"""

from decimal import Decimal
from typing import Literal

from jrr_core.errors import ParseError
from jrr_core.events import FundingRate, MarkPrice, Message, OpenInterest, Quote, Trade
from jrr_core.exact import decimal, optional_decimal
from jrr_core.wire import Raw, Struct, decoder

from .frames import NS_PER_MS, NS_PER_S, Millis, Name, Number, Push, Seconds, moment, one_or_many, text_of
from .products import Product


class _SpotTrade(Struct):
    id: Number
    side: Literal["buy", "sell"]
    currency_pair: Name
    amount: str
    price: str
    create_time_ms: Raw = Raw()


class _FuturesTrade(Struct):
    id: Number
    contract: Name
    size: Raw
    price: str
    create_time_ms: Raw = Raw()
    is_internal: bool = False


_spot_trades, _futures_trades = (
    decoder(list[_SpotTrade], ("create_time", "id_market", "range")),
    decoder(list[_FuturesTrade], ("create_time", "is_internal")),
)


def trades(product: Product, frame: Push, ts_recv: int) -> list[Trade]:
    """Read trades; of futures the sign of the size is the taker's side, and internal ones are takeovers and ADL.

    `{"id":5541729598,"create_time":1682689046,"create_time_ms":"1682689046123.0","side":"buy","currency_pair":"TLOS_BTC",
    "amount":"89.238","price":"0.00000644"}`, `[{"size":-22,"id":1696009,"create_time":1593561623,
    "create_time_ms":1593561623123,"price":"225.5","contract":"ETH_USDT"}]`
    """
    exchange = product.exchange
    if not product.futures:
        return [
            Trade(exchange, row.currency_pair, moment(row.create_time_ms), ts_recv, decimal(row.price),
                  decimal(row.amount), row.side, str(row.id))
            for row in _spot_trades(one_or_many(frame.result))
        ]  # fmt: skip
    events = []
    for row in _futures_trades(one_or_many(frame.result)):
        size = decimal(text_of(row.size))
        if not size:
            raise ParseError(f"trade {row.id} has no size, and so no side")
        events.append(
            Trade(exchange, row.contract, moment(row.create_time_ms), ts_recv, decimal(row.price), abs(size),
                  "buy" if size > 0 else "sell", str(row.id), kind="internal" if row.is_internal else None)
        )  # fmt: skip
    return events


class _Ticker(Struct):
    t: Millis
    u: Number
    s: Name
    b: Raw
    B: Raw
    a: Raw
    A: Raw


_book_ticker = decoder(_Ticker, ())


def quotes(product: Product, frame: Push, ts_recv: int) -> list[Quote]:
    """Read the best bid and ask; an empty price is a side without orders.

    `{"t":1682689046131,"u":517377894,"s":"ETC_ETH","b":"0.010326","B":"0.001","a":"0.010366","A":"10"}`
    """
    row = _book_ticker(frame.result)
    bid, ask = optional_decimal(text_of(row.b)), optional_decimal(text_of(row.a))
    bid_amount, ask_amount = optional_decimal(text_of(row.B)), optional_decimal(text_of(row.A))
    return [
        Quote(
            product.exchange, row.s, row.t * NS_PER_MS, ts_recv, bid, None if bid is None else bid_amount, ask,
            None if ask is None else ask_amount, row.u,
        )
    ]  # fmt: skip


class _FuturesTicker(Struct):
    """`{"contract":"BTC_USDT","mark_price":"77183.5","index_price":"77221.8","funding_rate":"0.000072",
    "funding_next_apply":1789459200,"total_size":"73648","t":1789456337802,...}`."""  # fmt: skip

    contract: Name
    mark_price: str | None = None
    index_price: str | None = None
    funding_rate: str | None = None
    funding_next_apply: Seconds | None = None
    total_size: Raw = Raw()
    t: Millis | None = None


_tickers = decoder(
    list[_FuturesTicker],
    (
        "funding_interval",
        "funding_rate_indicative",
        "last",
        "change_percentage",
        "low_24h",
        "high_24h",
        "volume_24h",
        "volume_24h_btc",
        "volume_24h_usd",
        "volume_24h_quote",
        "volume_24h_settle",
        "volume_24h_base",
        "quanto_base_rate",
        "price_type",
        "change_from",
        "change_utc0",
        "change_utc8",
        "change_price",
    ),
)


def tickers(product: Product, channels: frozenset[str], frame: Push, ts_recv: int) -> list[Message]:
    """Read mark price, funding and open interest, as far as they are in `channels` and were sent."""
    events: list[Message] = []
    for row in _tickers(one_or_many(frame.result)):
        ms = frame.time_ms if row.t is None else row.t
        place = (product.exchange, row.contract, None if ms is None else ms * NS_PER_MS, ts_recv)
        mark, index, rate, size = (
            optional_decimal(text)
            for text in (row.mark_price, row.index_price, row.funding_rate, text_of(row.total_size))
        )  # fmt: skip
        events += [event for event in _ticked(place, mark, index, rate, row.funding_next_apply, size)
                   if event.channel in channels]  # fmt: skip
    return events


def _ticked(
    place: tuple[str, str, int | None, int],
    mark: Decimal | None,
    index: Decimal | None,
    rate: Decimal | None,
    due_s: int | None,
    size: Decimal | None,
) -> list[Message]:
    events: list[Message] = []
    if mark is not None:
        events.append(MarkPrice(*place, mark, index))
    if rate is not None and due_s:
        events.append(FundingRate(*place, rate, due_s * NS_PER_S, predicted=True))
    if size is not None:
        events.append(OpenInterest(*place, size, None))
    return events


class _Settled(Struct):
    r: str
    t: Seconds


_settled = decoder(list[_Settled])


def settlements(product: Product, symbol: str, payload: str | bytes, ts_recv: int) -> list[FundingRate]:
    """Read rates that were paid: `[{"r":"0.000157","t":1543968000}]`."""
    return [
        FundingRate(product.exchange, symbol, row.t * NS_PER_S, ts_recv, decimal(row.r), row.t * NS_PER_S, False)
        for row in _settled(payload)
    ]  # fmt: skip
