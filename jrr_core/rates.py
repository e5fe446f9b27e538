"""How much a stream usually brings: events per second by class of symbol, market and channel, each with its source.

Called by `plan`. A figure is found by the same kind of key everywhere, here and
in `[plan.rates]`: `trade`, `major.trade`, `spot.trade`, `major.spot.trade`; the
more of it is said, the more it counts.

Every source says what was measured, for how long and when; an estimate says
from what. `docs/planning.md` has the table and the files behind it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from attrs import define

from .subscription import CHANNELS, INTERVALS
from .volume import family

Class = Literal["major", "large", "other"]
Market = Literal["spot", "perpetual"]
CLASSES: tuple[Class, ...] = ("major", "large", "other")
MARKETS: tuple[Market, ...] = ("spot", "perpetual")

MAJOR = frozenset({"BTC", "XBT", "ETH"})
# By turnover on the large exchanges; an estimate of 2026, and no more than that.
LARGE = frozenset({
    "ADA", "APT", "AVAX", "BCH", "BNB", "DOGE", "DOT", "ETC", "LINK", "LTC",
    "NEAR", "PEPE", "SHIB", "SOL", "SUI", "TON", "TRX", "UNI", "XLM", "XRP",
})  # fmt: skip


@define(frozen=True)
class Typical:
    """Events per second of one symbol, price levels per event (books only), and where both are from."""

    per_s: float
    source: str
    levels: float = 0.0


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 30 * 86_400}
_SPOT = "recorded spot, 346 s, 2024-08-08"
_PERPETUAL = "recorded perpetual, 345 s, 2024-08-08"
_SMALL_SPOT = "recorded spot, 30 s, 2021-10, 4 symbols"
_SMALL_PERPETUAL = "recorded perpetuals, 30 s, 2021-07, 14 symbols"
_LARGE = "estimate: geometric mean of major and other"
_PUSHED = "as the book: sent every 100 ms while it changes"
_SNAPSHOT = {f"book_snapshot_{depth}": 2.0 * depth for depth in (5, 10, 20)}
_BOOKS: Mapping[str, Typical] = {
    "major.spot.book": Typical(10, f"{_SPOT}: 3,451 updates", 36),
    "large.spot.book": Typical(4, _LARGE, 9.5),
    "other.spot.book": Typical(1.5, f"{_SMALL_SPOT}: 0.07 to 5", 2.5),
    "major.perpetual.book": Typical(10, f"{_PERPETUAL}: 6,551 updates, merged into steps of 100 ms", 118),
    "large.perpetual.book": Typical(8, _LARGE, 31),
    "other.perpetual.book": Typical(6.6, f"{_SMALL_PERPETUAL}: 3.8 to 8.6", 8),
}
TABLE: Mapping[str, Typical] = {
    "major.spot.trade": Typical(45, f"trade ids of one symbol over 729 days to 2026-08; {_SPOT}: 28"),
    "large.spot.trade": Typical(2, _LARGE),
    "other.spot.trade": Typical(0.1, "recorded spot, 30 s, 2021, 34 symbols of 4 exchanges: 117 messages"),
    "major.perpetual.trade": Typical(
        18, "ids of one symbol over 790 days to 2026-10: 42 fills, 2.34 merged into a trade"
    ),
    "large.perpetual.trade": Typical(3.3, _LARGE),
    "other.perpetual.trade": Typical(0.6, "ids of 7 symbols from their listing to 2021-07, merged fills: 0.3 to 0.9"),
    "major.spot.quote": Typical(81, f"{_SPOT}: 28,040"),
    "large.spot.quote": Typical(7.5, _LARGE),
    "other.spot.quote": Typical(0.7, f"{_SMALL_SPOT}: 0 to 2.5"),
    "major.perpetual.quote": Typical(190, f"{_PERPETUAL}: 66,089"),
    "large.perpetual.quote": Typical(35, _LARGE),
    "other.perpetual.quote": Typical(6.5, f"{_SMALL_PERPETUAL}: 1.7 to 15"),
    **_BOOKS,
    **{
        key.replace("book", snapshot): Typical(book.per_s, _PUSHED, levels)
        for snapshot, levels in _SNAPSHOT.items()
        for key, book in _BOOKS.items()
    },
    "funding": Typical(1 / 60, "estimate: once a minute; exchanges send it every second to every 90 s"),
    "mark_price": Typical(1, "estimate: once a second; exchanges send it every second, or up to 5 times on change"),
    "open_interest": Typical(1 / 60, "estimate: once a minute, where it has to be polled"),
    "major.liquidation": Typical(0.02, "estimate: some 1,700 a day; one sends at most one a second"),
    "large.liquidation": Typical(0.005, "estimate: some 430 a day"),
    "other.liquidation": Typical(0.0005, "estimate: some 40 a day"),
    **{
        f"candle_{interval}": Typical(1 / (int(interval[:-1]) * _SECONDS[interval[-1]]), "one an interval, once closed")
        for interval in INTERVALS
    },
}
"""What is usual, by key."""

_FAMILIES = tuple(dict.fromkeys([*CHANNELS, *map(family, CHANNELS)]))
KEYS = tuple(
    f"{scope}{channel}"
    for scope in ("", *[f"{c}." for c in CLASSES], *[f"{m}." for m in MARKETS],
                  *[f"{c}.{m}." for c in CLASSES for m in MARKETS])
    for channel in _FAMILIES
)  # fmt: skip
"""Every key a rate can be set for, beside the text of a subscription."""

# Longest first, so that BTCUSDT is not read as a pair in USD.
_QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDE", "USD", "EUR", "GBP", "TRY", "JPY", "BTC", "ETH", "BNB")
_separator = re.compile(r"[-_/:]")
_dated = re.compile(r"[-_][0-9]{6,8}\b").search
_perpetual = re.compile(r"PERP|SWAP").search
_thousands = re.compile(r"^1(?:000)+(?=[A-Z])")


def keys(symbol_class: Class, market: Market, channel: str) -> Sequence[str]:
    """Return the keys that fit a stream, the most particular first."""
    names = dict.fromkeys([channel.partition("@")[0], family(channel)])
    scopes = (f"{symbol_class}.{market}.", f"{symbol_class}.", f"{market}.", "")
    return [f"{scope}{name}" for scope in scopes for name in names]


def class_of(base: str) -> Class:
    """Return the class of a base asset; contracts on a thousand of it ("1000SHIB") count as it does."""
    base = _thousands.sub("", base.upper())
    return "major" if base in MAJOR else "large" if base in LARGE else "other"


def read_symbol(symbol: str) -> tuple[Class, Market | None]:
    """Return what a symbol's own text says, for want of a list; None where it does not tell the market.

    Dated contracts trade little whatever they are on: they are of class `other`.
    """
    parts = _separator.split(symbol.upper())
    base = parts[0]
    for quote in _QUOTES:
        if base.endswith(quote) and base != quote:
            base = base.removesuffix(quote)
            break
    if _dated(symbol):
        return "other", "perpetual"
    if _perpetual(symbol.upper()):
        return class_of(base), "perpetual"
    return class_of(base), "spot" if len(parts) == 2 and ("-" in symbol or "/" in symbol) else None
