"""Moves rows from the journal into Parquet files, in a thread of its own, so that no batch waits for it.

What it moves is in the journal until the file is complete. A failure loses
nothing and is not kept quiet: `failure` stands until the next attempt succeeds.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from jrr_core.errors import ConfigError, SinkUnavailable
from jrr_core.journal import say_seldom

from . import files, instruments, ledger, merging
from .journal import FOLDER, prepare, store_id
from .partition import DAY_NS, Partition
from .relations import BY_NAME
from .settings import StorageConfig

_AGAIN_S = 1.0  # after a failure
_LATE_NS = 3600 * 10**9  # a date that has been over for so long gets few rows more
_decode = msgspec.msgpack.Decoder().decode


class Roller:
    """The thread that completes files while a store is open."""

    def __init__(self, settings: StorageConfig) -> None:
        """Take the settings; start nothing yet."""
        self.failure: SinkUnavailable | None = None
        self._settings = settings
        self._root = Path(settings.path).expanduser()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, unless it runs; raises ConfigError where pyarrow cannot be loaded."""
        if self._thread is not None:
            return
        try:
            files.load()
        except ImportError as error:
            raise ConfigError(f"pyarrow cannot be loaded ({error}): pip install pyarrow") from error
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="jrr-parquet-roller", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and put all that is left in the journal into files if that is possible now."""
        if self._thread is None:
            return
        self._stop.set()
        self._thread.join()
        self._thread = None
        self._attempt()

    def _run(self) -> None:
        while not self._stop.wait(self._settings.roll_s if self.failure is None else _AGAIN_S):
            self._attempt()

    def _attempt(self) -> None:
        try:
            self._roll()
            self.failure = None
        except Exception as error:  # nobody is above a thread: what it cannot do, `write` tells of
            self.failure = SinkUnavailable(f"{self._root}: a file cannot be completed: {error}")

    def _roll(self) -> None:
        """Put what is in the journal into files, one a partition, and then take it out of the journal."""
        scratch = self._root / FOLDER
        with closing(prepare(self._root, self._settings.busy_timeout_s)) as db:
            store = store_id(db)
            done: list[tuple[int, int]] = []
            for number, place in _partitions(db, "id IN (SELECT partition FROM pending)"):
                pending = lots(db, number)
                folder, relation = place.folder(self._root), BY_NAME[place.relation]
                files.add(folder, relation, pending, store, scratch)
                done.append((number, pending[-1][0]))
            files.write_whole(ledger.table(db), self._root / "coverage" / "coverage.parquet", scratch)
            files.write_whole(instruments.table(db), self._root / "instruments" / "instruments.parquet", scratch)
            db.execute("BEGIN IMMEDIATE")
            db.executemany("DELETE FROM pending WHERE partition = ? AND number <= ?", done)
            db.executemany("UPDATE partitions SET merged = 0 WHERE id = ?", [(number,) for number, _ in done])
            db.execute("COMMIT")
            self._merge(db, store, scratch)

    def _merge(self, db: sqlite3.Connection, store: str, scratch: Path) -> None:
        """Merge the files of dates that are over and grew since; one that cannot be merged is left as it is."""
        if self._stop.is_set():
            return  # the next run goes on
        merging.tidy(scratch)  # what was replaced a whole round ago is listed by nobody any more
        over = (time.time_ns() - _LATE_NS) // DAY_NS
        for number, place in _partitions(db, f"merged = 0 AND day < {over}"):
            if self._stop.is_set():
                return
            folder, relation = place.folder(self._root), BY_NAME[place.relation]
            try:
                merging.merge(folder, relation, store, scratch, self._settings.file_bytes)
            except Exception as error:  # many small files are no reason to take no more data
                say_seldom(logging.WARNING, "parquet_not_merged", str(self._root), f"{folder} is not merged: {error}")
            db.execute("UPDATE partitions SET merged = 1 WHERE id = ?", (number,))


def lots(db: sqlite3.Connection, partition: int) -> list[tuple[int, Sequence[Sequence[object]]]]:
    """Return a partition's rows that are only in the journal, by the number of their lot, ascending."""
    found: Iterable[tuple[int, bytes]] = db.execute(
        "SELECT number, rows FROM pending WHERE partition = ? ORDER BY number", (partition,)
    )
    return [(number, _decode(rows)) for number, rows in found]


def _partitions(db: sqlite3.Connection, where: str) -> list[tuple[int, Partition]]:
    found = db.execute(f"SELECT id, relation, exchange, channel, symbol, day FROM partitions WHERE {where}").fetchall()
    return [(number, Partition(*names)) for number, *names in found]
