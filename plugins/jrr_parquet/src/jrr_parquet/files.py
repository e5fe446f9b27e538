"""Parquet files of one partition: rows in, completed files out; and a file's rows back, in order of time.

The only module that uses pyarrow, which it loads when first called. A file
under its final name is whole and never changes: readers open a file more than
once, for its footer and for its rows, and must find the same.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from .relations import Relation, Row

_STORE, _THROUGH = b"jrr.store", b"jrr.through"
_ROWS_AT_ONCE = 4096
_GROUP_ROWS = 65_536  # a reader holds one group of each file of a date


def files(folder: Path) -> list[Path]:
    """Return the files of a partition, oldest first."""
    return sorted(folder.glob("*.parquet"))


def add(
    folder: Path, relation: Relation, pending: Sequence[tuple[int, Sequence[Row]]], store: str, scratch: Path
) -> None:
    """Put numbered lots of rows into a new file of the partition.

    Lots that the newest file holds already, by its own word, are left out: a
    crash between the file and the journal does no harm. Raises OSError and
    ArrowException; the folder is then as it was.
    """
    pa, pq = _arrow()
    there = files(folder)
    done = 0
    if there:
        with pq.ParquetFile(there[-1]) as newest:
            done = through(newest, store)
    rows = [row for number, lot in pending if number > done for row in lot]
    if rows:
        columns = zip(zip(*rows, strict=True), relation.columns.values(), strict=True)
        arrays = [pa.array(values, getattr(pa, kind.arrow)()) for values, kind in columns]
        table = pa.Table.from_arrays(arrays, names=[*relation.columns])
        _make_durable(folder)
        complete(table, relation, folder / following(there), store, pending[-1][0], scratch / "unfinished")


def joined(paths: Sequence[Path], relation: Relation, store: str, target: Path, scratch: Path) -> None:
    """Write the rows of several files into one, which tells of the same lots."""
    pa, _ = _arrow()
    tables, last = [], 0
    for file in opened(paths):
        with file:
            tables.append(file.read().replace_schema_metadata(None))
            last = max(last, through(file, store))
    complete(pa.concat_tables(tables), relation, target, store, last, scratch)


def following(there: Sequence[Path]) -> str:
    """Return the name of the file that comes after these."""
    return f"{int(there[-1].stem) + 1 if there else 0:06}.parquet"


def through(file: Any, store: str) -> int:
    """Return the number of the last lot an open file holds, 0 where another store wrote it."""
    told = file.schema_arrow.metadata or {}
    return int(told[_THROUGH]) if told.get(_STORE) == store.encode() else 0


def opened(paths: Sequence[Path]) -> list[Any]:
    """Open files, which stay readable when they are removed; raises FileNotFoundError where one is not there."""
    _, pq = _arrow()
    return [pq.ParquetFile(path) for path in paths]


def rows_of(file: Any) -> Iterator[Row]:
    """Yield the rows of an open file in order of time, and close it."""
    with file:
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            yield from zip(*[column.to_pylist() for column in batch.columns], strict=True)


def load() -> None:
    """Load pyarrow; raises ImportError where it is missing or broken."""
    _arrow()


def write_whole(table: Mapping[str, tuple[str, Sequence[Any]]], target: Path, scratch: Path) -> None:
    """Write a small relation, given as {column: (Arrow type, values)}, over the file that held it before."""
    pa, _ = _arrow()
    columns = {name: pa.array(values, getattr(pa, arrow)()) for name, (arrow, values) in table.items()}
    _make_durable(target.parent)
    _write(pa.table(columns), target, scratch / "unfinished")


def complete(table: Any, relation: Relation, target: Path, store: str, last: int, unfinished: Path) -> None:
    """Write a table in order of time, rows of one time as they came, that holds lots up to number `last`."""
    import pyarrow.compute as pc

    times = pc.coalesce(*[table[name] for name in relation.time])
    ordered = table.take(pc.sort_indices(times))
    _write(ordered.replace_schema_metadata({_STORE: store, _THROUGH: str(last)}), target, unfinished)


def _write(table: Any, target: Path, unfinished: Path) -> None:
    """Write under another name, make it durable, and only then give it its name."""
    _, pq = _arrow()
    pq.write_table(table, unfinished, compression="zstd", row_group_size=_GROUP_ROWS)
    sync(unfinished)
    os.replace(unfinished, target)
    sync(target.parent)


def _make_durable(folder: Path) -> None:
    if not folder.is_dir():
        _make_durable(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def sync(path: Path) -> None:
    """Make a file or folder durable."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no directories
    fd = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@cache
def _arrow() -> tuple[Any, Any]:
    import pyarrow
    import pyarrow.parquet

    return pyarrow, pyarrow.parquet
