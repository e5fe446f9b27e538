"""Recorded Binance connections through the parser, against what plain JSON reading of the same files says."""

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jrr_binance.connector import CoinM, CoinmSettings, Spot, SpotSettings, UsdM, UsdmSettings
from jrr_binance.parser import Parser

from jrr_core.book import Book
from jrr_core.events import BookDelta, BookSnapshot, Candle, Gap, Message, Quote, Trade
from jrr_core.frame import Frame

CONNECTORS = {
    "binance": Spot(SpotSettings()),
    "binance-usdm": UsdM(UsdmSettings()),
    "binance-coinm": CoinM(CoinmSettings()),
}
Sides = dict[str, dict[Decimal, Decimal]]


class Reference:
    """A book by the fact sheet's steps, sharing no code with the parser."""

    def __init__(self, linked: bool) -> None:
        self.linked = linked
        self.waiting: list[dict[str, Any]] = []
        self.sides: Sides = {"b": {}, "a": {}}
        self.last: int | None = None
        self.applied = 0

    def update(self, row: dict[str, Any]) -> None:
        if self.last is None:
            self.waiting.append(row)
            return
        if row["u"] < self.last + (0 if self.linked and not self.applied else 1):
            return
        if self.applied:
            assert row["pu"] == self.last if self.linked else row["U"] == self.last + 1
        else:
            assert row["U"] <= self.last + (0 if self.linked else 1) or row.get("pu") == self.last
        self.last = row["u"]
        self.applied += 1
        self._set(row["b"], row["a"])

    def snapshot(self, row: dict[str, Any]) -> None:
        self.last = row["lastUpdateId"]
        self._set(row["bids"], row["asks"])
        for waiting in self.waiting:
            self.update(waiting)

    def _set(self, bids: list[list[str]], asks: list[list[str]]) -> None:
        for side, levels in (("b", bids), ("a", asks)):
            for price, amount in levels:
                self.sides[side][Decimal(price)] = Decimal(amount)
                if not Decimal(amount):
                    del self.sides[side][Decimal(price)]


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with gzip.open(path) as file:
        for line in file:
            received, _, payload = line.rstrip(b"\n").partition(b" ")
            yield int(received), payload


@pytest.mark.parametrize(
    ("name", "exchange", "trades", "quotes", "updates"),
    [
        ("binance-usdm_btcusdt_20240808.gz", "binance-usdm", 21_313, 66_089, 6_551),
        ("binance_btcusdt_20240808.gz", "binance", 9_757, 28_040, 3_451),
    ],
)
def test_long_recording_is_read_whole(
    realdata: Path, name: str, exchange: str, trades: int, quotes: int, updates: int
) -> None:
    parser = CONNECTORS[exchange].parser(None)
    reference = Reference(linked=exchange != "binance")
    found: dict[type[Message], list[Any]] = {Trade: [], Quote: [], BookDelta: [], BookSnapshot: [], Gap: []}
    ids, seen_updates, book = [], 0, Book()
    for received, payload in lines(realdata / "hftbacktest" / name):
        for event in parser.receive(Frame(exchange, payload, received)):
            found[type(event)].append(event)
            if isinstance(event, BookDelta | BookSnapshot):
                book.apply(event)
        row = json.loads(payload)
        if "lastUpdateId" in row:
            reference.snapshot(row)
        elif "@depth" in row["stream"]:
            seen_updates += 1
            reference.update(row["data"])
        elif row["stream"].endswith("@trade"):
            ids.append((str(row["data"]["t"]), Decimal(row["data"]["p"]), Decimal(row["data"]["q"])))
    assert [(trade.trade_id, trade.price, trade.amount) for trade in found[Trade]] == ids
    assert (len(ids), len(found[Quote]), seen_updates) == (trades, quotes, updates)
    assert len({trade.key() for trade in found[Trade]}) == trades
    assert found[Gap] == []
    assert len(found[BookSnapshot]) == 1
    assert len(found[BookDelta]) == reference.applied
    assert (book.bids, book.asks) == (reference.sides["b"], reference.sides["a"])
    assert not book.crossed


def recorded(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt") as file:
        yield from map(json.loads, file)


def merged(folder: Path, name: str) -> list[tuple[float, str, str | None]]:
    """Return (time, text, symbol of a REST snapshot) in order of arrival."""
    items = [(line["t"], line["raw"], None) for line in recorded(folder / f"{name}.ws.1.0.jsonl.gz")
             if line["kind"] == "recv"]  # fmt: skip
    for line in recorded(folder / f"{name}.http.0.0.jsonl.gz"):
        symbol = line["url"].partition("symbol=")[2].partition("&")[0]
        items.append((line["t"], line["raw"], symbol))
    return sorted(items, key=lambda item: item[0])


def play(parser: Parser, exchange: str, items: list[tuple[float, str, str | None]]) -> list[Message]:
    return [
        event
        for at, text, symbol in items
        for event in parser.receive(Frame(exchange, text, int(at * 1e9), None if symbol is None else f"depth:{symbol}"))
    ]


@pytest.mark.parametrize(
    ("name", "exchange", "books"),
    [("BINANCE", "binance", 4), ("BINANCE_FUTURES", "binance-usdm", 4), ("BINANCE_DELIVERY", "binance-coinm", 10)],
)
def test_short_recording_of_many_symbols_is_read_whole(realdata: Path, name: str, exchange: str, books: int) -> None:
    items = merged(realdata / "cryptofeed", name)
    events = play(CONNECTORS[exchange].parser(None), exchange, items)
    references: dict[str, Reference] = {}
    counts = dict.fromkeys(("aggTrade", "bookTicker", "kline"), 0)
    for _, text, symbol in items:
        row = json.loads(text)
        if symbol is not None:
            references.setdefault(symbol, Reference(exchange != "binance")).snapshot(row)
        elif "@depth" in row.get("stream", ""):
            references.setdefault(row["data"]["s"], Reference(exchange != "binance")).update(row["data"])
        elif "stream" in row:
            counts[row["stream"].partition("@")[2].partition("_")[0]] += 1
    assert not [event for event in events if isinstance(event, Gap)]
    assert sum(isinstance(event, Trade) for event in events) == counts["aggTrade"]
    assert sum(isinstance(event, Quote) for event in events) == counts["bookTicker"]
    assert sum(isinstance(event, Candle) for event in events) == counts["kline"]
    kept: dict[str, Book] = {}
    for event in events:
        if isinstance(event, BookSnapshot | BookDelta):
            kept.setdefault(event.symbol, Book()).apply(event)
    assert len(kept) == books
    for symbol, book in kept.items():
        assert (book.bids, book.asks) == (references[symbol].sides["b"], references[symbol].sides["a"])


@pytest.mark.parametrize(
    ("name", "exchange", "count", "canonical"),
    [
        ("BINANCE", "binance", 1695, {"BTCUSDT": "BTC-USDT", "NKNUSDT": "NKN-USDT"}),
        ("BINANCE_FUTURES", "binance-usdm", 122, {"BTCUSDT": "BTC-USDT-PERP", "BTCUSDT_210924": "BTC-USDT-210924"}),
        ("BINANCE_DELIVERY", "binance-coinm", 36, {"BTCUSD_PERP": "BTC-USD-PERP", "BCHUSD_210924": "BCH-USD-210924"}),
    ],
)
def test_recorded_instruments_are_read(
    realdata: Path, name: str, exchange: str, count: int, canonical: dict[str, str]
) -> None:
    raw = next(recorded(realdata / "cryptofeed" / f"{name}.0.jsonl.gz"))["raw"]
    found = {item.symbol: item for item in CONNECTORS[exchange].instruments(Frame(exchange, raw, 0))}
    assert len(found) == count
    assert {symbol: found[symbol].canonical for symbol in canonical} == canonical
    assert all(item.tick_size and item.lot_size for item in found.values())
    assert all((item.contract_size is not None) == (exchange == "binance-coinm") for item in found.values())
    assert all((item.expiry is not None) == (item.kind == "future") for item in found.values())
