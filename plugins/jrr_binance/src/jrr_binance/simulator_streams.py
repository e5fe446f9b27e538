"""The simulated exchange's streams: what a stream name means, and who gets it.

Pure. A name that means nothing here has no Stream; the peer that asked for it
is acknowledged and never hears anything.
"""

import re
from decimal import Decimal

from attrs import Factory, define

from jrr_core.testing.market import Row

from .simulator_payloads import Family
from .simulator_peer import BinancePeer

DAY_NS = 86_400_000_000_000
MINUTE_NS = 60_000_000_000
INTERVALS_NS = {
    "1s": MINUTE_NS // 60, "1m": MINUTE_NS, "3m": 3 * MINUTE_NS, "5m": 5 * MINUTE_NS, "15m": 15 * MINUTE_NS,
    "30m": 30 * MINUTE_NS, "1h": 60 * MINUTE_NS, "2h": 120 * MINUTE_NS, "4h": 240 * MINUTE_NS, "6h": 360 * MINUTE_NS,
    "8h": 480 * MINUTE_NS, "12h": 720 * MINUTE_NS, "1d": DAY_NS, "3d": 3 * DAY_NS, "1w": 7 * DAY_NS,
    # No simulation lasts to the end of a month; thirty days are as good.
    "1M": 30 * DAY_NS,
}  # fmt: skip
# Weeks begin on Monday, 1970-01-01 was a Thursday.
WEEK_OFFSET_NS = 4 * DAY_NS
EAST_NS = 8 * 60 * MINUTE_NS

# "0ms" is as often as the server looks.
AT_ONCE_MS = 5
# Rhythms of batched and periodic streams; each has a grid of its own on the UTC clock.
GRIDS_MS = (AT_ONCE_MS, 100, 250, 500, 1000, 2000, 3000, 5000)

_SPOT_BOOK = re.compile(r"depth(5|10|20)?(?:@(100ms|1000ms))?").fullmatch
_FUTURES_BOOK = re.compile(r"depth(5|10|20)?(?:@(500ms|100ms|0ms))?").fullmatch
_KLINE = re.compile(r"kline_(\w+?)(@\+08:00)?").fullmatch
_MARK = re.compile(r"markPrice(@1s)?").fullmatch
_ARRAY = re.compile(r"!(?:bookTicker|markPrice@arr(@1s)?|forceOrder@arr)").fullmatch
_PUBLIC = ("trade", "quote", "diff", "partial", "quotes")
# What can be fetched afterwards is missing where nobody was there to hear it: these go on without a subscriber.
LASTING = ("trade", "aggregate", "candle")


@define(eq=False)
class Stream:
    """One stream that exists, by the name it was subscribed with.

    `kind` is trade, aggregate, quote, quotes, diff, partial, candle, mark,
    marks or liquidation; `symbol` is empty for all symbols; `every_ms` is its
    rhythm, 0 for real time.
    """

    name: str
    kind: str
    symbol: str
    every_ms: int = 0
    depth: int = 0
    interval: str = ""
    interval_ns: int = 0
    offset_ns: int = 0
    peers: dict[BinancePeer, None] = Factory(dict)
    # Diff books: changes since the last message; ids of the first (0: none yet) and last of them.
    bids: dict[Decimal, Decimal] = Factory(dict)
    asks: dict[Decimal, Decimal] = Factory(dict)
    first: int = 0
    last: int = 0
    # How far it has been sent: the last update id (0: nothing yet), or the open time of the last closed candle.
    cursor: int = 0

    @property
    def group(self) -> str:
        """The USD-M path that delivers it."""
        return "public" if self.kind in _PUBLIC else "market"

    def send(self, text: str) -> None:
        """Queue a payload to everyone subscribed, wrapped for combined connections."""
        wrapped = ""
        for peer in self.peers:
            if peer.combined:
                wrapped = wrapped or f'{{"stream":"{self.name}","data":{text}}}'
                peer.outbox.append(wrapped)
            else:
                peer.outbox.append(text)

    def change(self, first: int, last: int, bids: list[Row], asks: list[Row]) -> None:
        """Add a change of the book to the message being gathered."""
        self.first = self.first or first
        self.last = last
        for price, amount in bids:
            self.bids[price] = amount
        for price, amount in asks:
            self.asks[price] = amount


def make_stream(name: str, family: Family, symbols: dict[str, str]) -> Stream | None:
    """Return the stream `name` means, None where it means none; `symbols` maps stream spelling to symbol."""
    if name.startswith("!"):
        return _array(name) if family != "spot" and _ARRAY(name) else None
    symbol_text, at, rest = name.partition("@")
    symbol = symbols.get(symbol_text)
    if symbol is None or not at:
        return None
    if rest in ("trade", "aggTrade", "bookTicker"):
        kind = {"trade": "trade", "aggTrade": "aggregate", "bookTicker": "quote"}[rest]
        return Stream(name, kind, symbol, 100 if rest == "aggTrade" and family != "spot" else 0)
    book = _SPOT_BOOK(rest) if family == "spot" else _FUTURES_BOOK(rest)
    if book:
        every = int(book[2].removesuffix("ms")) if book[2] else 1000 if family == "spot" else 250
        every = every or AT_ONCE_MS
        return Stream(name, "partial" if book[1] else "diff", symbol, every, int(book[1] or 0))
    kline = _KLINE(rest)
    if kline:
        return _kline(name, symbol, kline[1], bool(kline[2]), family)
    if family == "spot":
        return None
    if rest == "forceOrder":
        return Stream(name, "liquidation", symbol)
    mark = _MARK(rest)
    return Stream(name, "mark", symbol, 1000 if mark[1] else 3000) if mark else None


def _array(name: str) -> Stream:
    if name == "!bookTicker":
        return Stream(name, "quotes", "", 5000)
    if name == "!forceOrder@arr":
        return Stream(name, "liquidation", "")
    return Stream(name, "marks", "", 1000 if name.endswith("@1s") else 3000)


def _kline(name: str, symbol: str, interval: str, east: bool, family: Family) -> Stream | None:
    if interval not in INTERVALS_NS or (family != "spot" and (interval == "1s" or east)):
        return None
    offset = (WEEK_OFFSET_NS if interval == "1w" else 0) - (EAST_NS if east else 0)
    shown = f"{interval}@+08:00" if east else interval
    every = 2000 if family == "spot" and interval != "1s" else 1000
    return Stream(name, "candle", symbol, every, 0, shown, INTERVALS_NS[interval], offset)
