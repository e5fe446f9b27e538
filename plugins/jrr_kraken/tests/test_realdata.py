"""Recorded data of Kraken, where they are present: of an older protocol, but its books and checksum are today's."""

import gzip
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jrr_kraken.books import checksum
from jrr_kraken.connector import KrakenConnector, KrakenSettings

from jrr_core.frame import Frame
from jrr_core.ladder import Ladder
from jrr_core.levels import Levels
from jrr_core.wire import decode


def lines(realdata: Path, name: str, kind: str) -> Iterator[str]:
    with gzip.open(realdata / "cryptofeed" / name, "rt") as file:
        for text in file:
            line = decode(text)
            if line["kind"] == kind:
                yield line["raw"]


def test_recorded_books_give_their_checksums_cut_to_their_depth(realdata: Path) -> None:
    books: dict[str, Ladder] = {}
    checked: Counter[bool] = Counter()
    for text in lines(realdata, "KRAKEN.ws.50.0.jsonl.gz", "recv"):
        push: Any = decode(text)
        if not isinstance(push, list) or not str(push[-2]).startswith("book"):
            continue
        book = books.setdefault(push[-1], Ladder("kraken", push[-1]))
        for part in push[1:-2]:
            if "as" in part or "bs" in part:
                book.clear()
            bids, asks = (
                [(row[0], row[1]) for row in part.get(a, part.get(b, ()))] for a, b in (("bs", "b"), ("as", "a"))
            )
            book.apply(Levels(bids), Levels(asks))
        book.cut(1000)
        if "c" in push[-3]:
            checked[checksum(*book.best(10)) == int(push[-3]["c"])] += 1
    assert len(books) == 10
    assert checked[True] > 1000
    assert not checked[False]


def test_recorded_pairs_are_listed_under_the_names_of_the_socket(realdata: Path) -> None:
    texts = [text for text in lines(realdata, "KRAKEN.0.jsonl.gz", "http") if '"wsname"' in text]
    (listed,) = texts[:1]
    found = {item.symbol: item for item in KrakenConnector(KrakenSettings()).instruments(Frame("kraken", listed, 0))}
    assert len(found) > 5
    assert not [symbol for symbol in found if "XBT" in symbol.split("/") or "XDG" in symbol.split("/")]
