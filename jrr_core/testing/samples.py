"""Valid events of every class, for tests of sinks, subscribers and whatever else takes events.

Each call makes new objects with the same content. Within a class every sample
has its own KEY. All belong to the exchange "example".
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ..events import (
    Backfilled,
    BookDelta,
    BookSnapshot,
    Candle,
    Connected,
    Disconnected,
    FundingRate,
    Gap,
    Liquidation,
    MarkPrice,
    Message,
    OpenInterest,
    Quote,
    StreamEvent,
    Trade,
)
from ..instrument import Instrument
from ..levels import EMPTY, Levels

EXCHANGE = "example"
SPOT = "BTC-USDT"
SWAP = "BTC-USDT-SWAP"
START = 1_704_067_200_000_000_000
MINUTE = 60_000_000_000
RECEIVED = START + 2_000_000

# What prices and amounts must survive: nothing, the smallest unit of common tokens, thirty digits, trailing zeros.
EXACT = tuple(
    map(
        Decimal,
        (
            "0",
            "0.000000000000000001",
            "123456789012345678901234567890",
            "123456789012.345678901234567891",
            "61837.630",
            "0.1",
        ),
    )
)


def samples(kind: type) -> Sequence[Any]:
    """Return valid samples of an event class or of Instrument; raises LookupError for a class it does not know."""
    try:
        return _makers[kind]()
    except KeyError:
        raise LookupError(
            f"the kit has no samples of {kind.__name__}: override samples() in your suite to give some"
        ) from None


def trade(number: int, **changes: Any) -> Trade:
    """Return the `number`-th trade of a stream; `changes` replace single fields."""
    values: dict[str, Any] = {
        "exchange": EXCHANGE,
        "symbol": SPOT,
        "ts_event": START + number * 1_000_000,
        "ts_recv": RECEIVED + number * 1_000_000,
        "price": Decimal("61837.63") + number,
        "amount": Decimal("0.00120"),
        "side": "buy" if number % 2 else "sell",
        "trade_id": str(1000 + number),
    }
    return Trade(**(values | changes))


def _trades() -> list[Trade]:
    return [
        trade(1),
        trade(2, ts_event=None, side=None),
        trade(3, count=7, id_space="agg"),
        trade(3, count=2, id_space="fill"),
        trade(4, kind="insurance_fund"),
        trade(1, symbol=SWAP),
        *[trade(10 + i, price=number, amount=number) for i, number in enumerate(EXACT)],
    ]


def _quotes() -> list[Quote]:
    price, amount = Decimal("61837.63"), Decimal("3.788")
    return [
        Quote(EXCHANGE, SPOT, START, RECEIVED, price, amount, price + 1, Decimal("1E-18"), 5001),
        Quote(EXCHANGE, SPOT, START + 1, RECEIVED + 1, None, None, price, amount, 5002),
        Quote(EXCHANGE, SPOT, START + 2, RECEIVED + 2, price, amount, None, None, 5003),
        Quote(EXCHANGE, SPOT, START + 3, RECEIVED + 3, price, amount, price, amount, None),
        Quote(EXCHANGE, SPOT, None, RECEIVED + 4, price, amount, price, amount, 5004),
    ]


def _snapshots() -> list[BookSnapshot]:
    bids = Levels([("61837.63", "3.788"), ("61837.60", "0.000000000000000001")])
    asks = Levels([("61837.64", "123456789012345678901234567890")])
    return [
        BookSnapshot(EXCHANGE, SPOT, START, RECEIVED, bids, asks, None, 7000),
        BookSnapshot(EXCHANGE, SPOT, START + 1, RECEIVED + 1, bids, asks, 5, 7001),
        BookSnapshot(EXCHANGE, SPOT, START + 2, RECEIVED + 2, EMPTY, EMPTY, 5, 7002, True),
        BookSnapshot(EXCHANGE, SPOT, START + 3, RECEIVED + 3, bids, EMPTY, 20, None, False),
    ]


def _deltas() -> list[BookDelta]:
    bids = Levels([("61837.63", "0"), ("61837.60", "1e-8")])
    return [
        BookDelta(EXCHANGE, SPOT, START, RECEIVED, bids, EMPTY, 7001, 7005, 7000),
        BookDelta(EXCHANGE, SPOT, START + 1, RECEIVED + 1, EMPTY, Levels([("61900", "2.50")]), None, 7006, None),
        BookDelta(EXCHANGE, SPOT, None, RECEIVED + 2, bids, bids, 7007, 7007, 7006),
    ]


def _candle(number: int, interval: str = "1m", **changes: Any) -> Candle:
    opened = START + number * MINUTE
    values: dict[str, Any] = {
        "exchange": EXCHANGE,
        "symbol": SPOT,
        "ts_event": opened + MINUTE,
        "ts_recv": opened + MINUTE + 2_000_000,
        "interval": interval,
        "open_time": opened,
        "close_time": opened + MINUTE - 1_000_000,
        "open": Decimal("61837.63"),
        "high": Decimal("61900"),
        "low": Decimal("61800.5"),
        "close": Decimal("61850.00"),
        "volume": Decimal("12.345"),
        "quote_volume": Decimal("763000.123456789012345678"),
        "trade_count": 321,
        "closed": True,
    }
    return Candle(**(values | changes))


def _candles() -> list[Candle]:
    zero = Decimal(0)
    return [
        _candle(0),
        _candle(0, interval="1d@+08:00"),
        _candle(1, ts_event=None, close_time=None, quote_volume=None, trade_count=None),
        _candle(2, volume=zero, quote_volume=zero, trade_count=0),
    ]


def _funding() -> list[FundingRate]:
    due = START + 480 * MINUTE
    return [
        FundingRate(EXCHANGE, SWAP, START, RECEIVED, Decimal("0.0001"), due, True),
        FundingRate(EXCHANGE, SWAP, START + 1, RECEIVED + 1, Decimal("-0.000000125"), due, False),
        FundingRate(EXCHANGE, SWAP, START + 2, RECEIVED + 2, Decimal(0), None, True),
    ]


def _mark_prices() -> list[MarkPrice]:
    return [
        MarkPrice(EXCHANGE, SWAP, START, RECEIVED, Decimal("61837.63012345"), Decimal("61830")),
        MarkPrice(EXCHANGE, SWAP, START + 1, RECEIVED + 1, Decimal("61837.7"), None),
    ]


def _open_interest() -> list[OpenInterest]:
    return [
        OpenInterest(EXCHANGE, SWAP, START, RECEIVED, Decimal("2216113.01"), Decimal("22161130.1")),
        OpenInterest(EXCHANGE, SWAP, START + 1, RECEIVED + 1, Decimal(0), None),
    ]


def _liquidations() -> list[Liquidation]:
    price, amount = Decimal("61837.6"), Decimal("0.014")
    return [
        Liquidation(EXCHANGE, SWAP, START, RECEIVED, price, amount, "sell", "8765"),
        Liquidation(EXCHANGE, SWAP, START, RECEIVED, price, amount, "buy", None),
        Liquidation(EXCHANGE, SWAP, START + 1, RECEIVED + 1, price, amount, None, None),
    ]


def _instruments() -> list[Instrument]:
    tick, lot = Decimal("0.1"), Decimal("0.00001")
    return [
        Instrument(EXCHANGE, SPOT, "BTC", "USDT", None, "spot", tick, lot, None, None, "BTC-USDT"),
        Instrument(
            EXCHANGE, SWAP, "BTC", "USDT", "USDT", "perpetual", tick, Decimal(1), Decimal("0.01"), "BTC",
            "BTC-USDT-PERP",
        ),
        Instrument(
            EXCHANGE, "BTC-USD-240329", "BTC", "USD", "BTC", "future", None, None, Decimal(100), "USD",
            "BTC-USD-240329", START + 100 * MINUTE, "suspend", False,
        ),
    ]  # fmt: skip


def _stream(kind: type[StreamEvent]) -> Callable[[], Sequence[Message]]:
    def make() -> list[Message]:
        return [
            kind(EXCHANGE, SPOT, None, RECEIVED, "trade", "example-1", ts_from=START, ts_to=START + MINUTE),
            kind(
                EXCHANGE, SWAP, START, RECEIVED + 1, "book", "example-2", "sequence break", 3, START, START + 1, (7, 9)
            ),
        ]

    return make


_makers: Mapping[type, Callable[[], Sequence[Any]]] = {
    Trade: _trades,
    Quote: _quotes,
    BookSnapshot: _snapshots,
    BookDelta: _deltas,
    Candle: _candles,
    FundingRate: _funding,
    MarkPrice: _mark_prices,
    OpenInterest: _open_interest,
    Liquidation: _liquidations,
    Instrument: _instruments,
    **{kind: _stream(kind) for kind in (Connected, Disconnected, Gap, Backfilled)},
}
