"""Recorded frames of Gate, where they are present: what of 2021's format still holds is read, and books chain."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from jrr_gateio.connector import GateSettings, Spot

from jrr_core.book import TrackedBook
from jrr_core.errors import ParseError
from jrr_core.events import BookDelta, BookSnapshot, Gap, Trade
from jrr_core.frame import Frame


def lines(realdata: Path, name: str) -> Iterator[dict[str, object]]:
    with gzip.open(realdata / "cryptofeed" / name, "rt") as file:
        yield from map(json.loads, file)


def recorded(realdata: Path) -> list[Frame]:
    """Return pushes and book snapshots in the order of their receipt."""
    found: list[tuple[float, Frame]] = []
    for line in lines(realdata, "GATEIO.ws.1.0.jsonl.gz"):
        if line["kind"] == "recv":
            found.append((float(str(line["t"])), Frame("gateio", str(line["raw"]), int(float(str(line["t"])) * 1e9))))
    for line in lines(realdata, "GATEIO.http.0.0.jsonl.gz"):
        if line["kind"] == "http":
            symbol = parse_qs(urlsplit(str(line["url"])).query)["currency_pair"][0]
            received = float(str(line["t"]))
            found.append((received, Frame("gateio", str(line["raw"]), int(received * 1e9), f"seed:{symbol}")))
    return [frame for _, frame in sorted(found, key=lambda row: row[0])]


def test_recorded_books_chain_from_their_snapshots_without_a_gap(realdata: Path) -> None:
    parser = Spot(GateSettings(book_stream="order_book_update")).parser(None)
    books: dict[str, TrackedBook] = {}
    seen: Counter[str] = Counter()
    refused: list[str] = []
    for frame in recorded(realdata):
        try:
            events = parser.receive(frame)
        except ParseError as error:
            refused.append(str(error))
            continue
        for event in events:
            seen[event.type] += 1
            if isinstance(event, BookSnapshot):
                books[event.symbol] = TrackedBook(event)
            elif isinstance(event, BookDelta):
                books[event.symbol].apply(event)
            assert not isinstance(event, Gap), event
    assert len(books) == 10
    assert all(book.intact for book in books.values())
    assert seen["book_delta"] > 100
    assert seen["trade"] == 9
    # Candles of 2021 lack the base volume; nothing else is refused.
    assert {reason.partition(" (")[0] for reason in refused} <= {"a candle without its base volume"}


def test_recorded_trades_keep_their_digits(realdata: Path) -> None:
    parser = Spot(GateSettings()).parser(None)
    trades = []
    for frame in recorded(realdata):
        if frame.tag is None and '"spot.trades"' in str(frame.payload):
            trades += [event for event in parser.receive(frame) if isinstance(event, Trade)]
    first = trades[0]
    assert (first.symbol, str(first.price), str(first.amount), first.side, first.trade_id, first.ts_event) == (
        "DIS_USDT", "121.5800000000", "0.2010000000", "sell", "816995772", 1619093543708264200,
    )  # fmt: skip


def test_recorded_trade_ids_count_all_pairs_so_those_of_one_leave_most_out(realdata: Path) -> None:
    parser = Spot(GateSettings()).parser(None)
    ids: list[tuple[str, int]] = []
    for frame in recorded(realdata):
        if frame.tag is None and '"spot.trades"' in str(frame.payload):
            ids += [(event.symbol, int(event.trade_id)) for event in parser.receive(frame) if isinstance(event, Trade)]
    numbers = [number for _, number in ids]
    assert numbers == sorted(numbers)
    assert len({symbol for symbol, _ in ids}) == 5
    assert [number for symbol, number in ids if symbol == "NEO_BTC"] == [
        816995970, 816995982, 816996982, 816996983, 816997068,
    ]  # fmt: skip


def test_recorded_pairs_are_listed(realdata: Path) -> None:
    (listed, *_) = [str(line["raw"]) for line in lines(realdata, "GATEIO.0.jsonl.gz") if line["kind"] == "http"]
    found = Spot(GateSettings()).instruments(Frame("gateio", listed, 0))
    assert len(found) > 5
    assert all(item.tick_size and item.canonical == f"{item.base}-{item.quote}" for item in found)
