"""Reads a store: rows of the journal and of files together, each once, also while another process writes.

Blocking. Of a partition the journal is read before its files are opened: what
has left the journal by then is in a file, and what is in both is told by the
number of the last lot that a file holds.
"""

import heapq
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec

from jrr_core.events import Candle, StreamEvent
from jrr_core.instrument import Instrument
from jrr_core.sink import StreamKey
from jrr_core.store import Range, Selection

from . import files, instruments, ledger
from .journal import reading, store_id
from .partition import DAY_NS, Partition
from .relations import BY_EVENT, BY_NAME, Relation, Row
from .roller import lots

_decode = msgspec.msgpack.Decoder().decode


def read(root: Path, kind: Any, chosen: Selection) -> Generator[Any, None, None]:
    """Yield the chosen events of one class, or the Instruments, in the order `Store.read` promises."""
    if kind is Instrument:
        yield from islice(_instruments(root, chosen), chosen.limit)
    elif issubclass(kind, StreamEvent):
        yield from _limited(_stream_events(root, kind, chosen), chosen)
    elif chosen.newest and chosen.limit is not None:
        yield from _newest(root, BY_EVENT[kind], chosen, chosen.limit)
    else:
        dates = _dates(root, BY_EVENT[kind], chosen)
        yield from islice((event for date in dates for event in _events(root, date, chosen)), chosen.limit)


def coverage(root: Path) -> list[Range]:
    """Return the coverage ranges in order of stream and time."""
    with reading(root) as db:
        return ledger.ranges(db)


def counts(root: Path) -> dict[tuple[str, str], int]:
    """Return how many market events are stored by (exchange, channel)."""
    with reading(root) as db:
        found = db.execute("SELECT exchange, channel, sum(rows) FROM partitions GROUP BY exchange, channel")
        return {(exchange, channel): rows for exchange, channel, rows in found}


def resume_points(root: Path) -> dict[StreamKey, int]:
    """Return the last stored sequence of each stream."""
    with reading(root) as db:
        return {StreamKey(*names): last for *names, last in db.execute("SELECT * FROM points")}


def _dates(root: Path, relation: Relation, chosen: Selection) -> list[list[tuple[int, Partition]]]:
    """Return the chosen partitions, those of one date together, oldest first."""
    where, values = ["relation = ?"], [relation.name]
    for name, value in (
        ("exchange", chosen.exchange),
        ("symbol", chosen.symbol),
        ("channel", chosen.interval and f"candle_{chosen.interval}" if relation.event is Candle else None),
    ):
        if value is not None:
            where.append(f"{name} = ?")
            values.append(value)
    if chosen.ts_from is not None:
        where.append(f"day >= {chosen.ts_from // DAY_NS}")
    if chosen.ts_to is not None:
        where.append(f"day <= {chosen.ts_to // DAY_NS}")
    with reading(root) as db:
        found = db.execute(
            "SELECT id, relation, exchange, channel, symbol, day FROM partitions "
            f"WHERE {' AND '.join(where)} ORDER BY day, exchange, symbol, channel",
            values,
        ).fetchall()
    places = [(number, Partition(*names)) for number, *names in found]
    return [[*group] for _, group in groupby(places, lambda item: item[1].day)]


def _events(root: Path, date: Sequence[tuple[int, Partition]], chosen: Selection) -> Iterator[Any]:
    """Yield the chosen events of one date in order of time, those of one time in the order of their KEY."""
    sources = [source for number, place in date for source in _sources(root, number, place)]
    for time, same in groupby(heapq.merge(*sources, key=itemgetter(0)), itemgetter(0)):
        if _within(time, chosen):
            yield from sorted([event for _, event in same], key=_rank)


def _sources(root: Path, number: int, place: Partition) -> list[Iterator[tuple[int, Any]]]:
    """Return a partition's events with their times, each iterator in order of time."""
    relation = BY_NAME[place.relation]
    with reading(root) as db:
        store, pending = store_id(db), lots(db, number)
    there = _opened(place.folder(root))
    done = max([files.through(file, store) for file in there], default=0)
    rows = [row for lot, rows in pending if lot > done for row in rows]
    waiting = sorted(_timed(relation, place, rows), key=itemgetter(0))
    return [iter(waiting), *[_timed(relation, place, files.rows_of(file)) for file in there]]


def _opened(folder: Path) -> list[Any]:
    """Open every file of a partition, and list them again when they were merged meanwhile."""
    while True:
        there = files.files(folder)
        try:
            return files.opened(there)
        except FileNotFoundError:
            if there == files.files(folder):
                raise


def _timed(relation: Relation, place: Partition, rows: Iterable[Row]) -> Iterator[tuple[int, Any]]:
    for row in rows:
        event = relation.made(place.exchange, place.symbol, row)
        yield relation.time_of(event), event


def _rank(event: Any) -> list[tuple[int, Any, str]]:
    """Return what puts events of one time in the order of their KEY; ids that are numbers go by their number."""
    ranks: list[tuple[int, Any, str]] = []
    for part in event.key():
        if part is None:
            ranks.append((0, 0, ""))
        elif isinstance(part, (int, Decimal)):
            ranks.append((1, part, ""))
        elif part.isascii() and part.isdigit() and len(part) < 100:
            ranks.append((1, int(part), part))
        else:
            ranks.append((2, 0, part))
    return ranks


def _newest(root: Path, relation: Relation, chosen: Selection, limit: int) -> Iterator[Any]:
    """Yield the last events, oldest first, reading no more dates than hold them."""
    found: list[Any] = []
    for date in reversed(_dates(root, relation, chosen)):
        if len(found) >= limit:
            break
        found = [*deque(_events(root, date, chosen), limit - len(found)), *found]
    yield from found


def _within(time: int, chosen: Selection) -> bool:
    return (chosen.ts_from is None or time >= chosen.ts_from) and (chosen.ts_to is None or time < chosen.ts_to)


def _instruments(root: Path, chosen: Selection) -> Iterator[Instrument]:
    with reading(root) as db:
        for item in instruments.read(db):
            if chosen.exchange in (None, item.exchange) and chosen.symbol in (None, item.symbol):
                yield item


def _stream_events(root: Path, kind: type[StreamEvent], chosen: Selection) -> Iterator[StreamEvent]:
    with reading(root) as db:
        for ts, packed in db.execute(
            "SELECT ts, fields FROM stream_events WHERE type = ? AND exchange = ifnull(?, exchange) "
            "AND symbol = ifnull(?, symbol) ORDER BY ts, number",
            (kind.type, chosen.exchange, chosen.symbol),
        ):
            if _within(ts, chosen):
                values = _decode(packed)
                values[-1] = values[-1] and tuple(values[-1])  # sequences
                yield kind(*values)


def _limited(events: Iterator[Any], chosen: Selection) -> Iterable[Any]:
    return deque(events, chosen.limit) if chosen.newest else islice(events, chosen.limit)
