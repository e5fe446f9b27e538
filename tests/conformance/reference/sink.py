"""A sink over one SQLite table of JSON texts: right in everything the kit asks of a sink."""

import asyncio
import json
import sqlite3
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import attrs

from jrr_core.errors import ConfigError, SinkRejected, SinkUnavailable
from jrr_core.events import ALL_EVENTS, Candle, Message, Trade
from jrr_core.instrument import Instrument
from jrr_core.levels import Levels
from jrr_core.setting import setting
from jrr_core.sink import BatchPolicy, StreamKey, WriteResult

Row = tuple[str, str, int, str]
_INSERT = (
    "INSERT INTO events VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET final = excluded.final, body = excluded.body WHERE events.final < excluded.final"
)


@attrs.define(kw_only=True)
class ChestSettings:
    """Settings of `[sinks.chest]`."""

    path: str = setting("chest.db", "File of the store.")
    token: str = setting("", "Not needed by a file; servers ask for one.", secret=True)


class ChestSink:
    """One row an event: its class, its key as JSON, whether that is its last state, and its fields as JSON."""

    name: ClassVar[str] = "chest"
    Settings: ClassVar[type] = ChestSettings
    embedded: ClassVar[bool] = True
    several_writers: ClassVar[bool] = True
    accepts: tuple[type, ...] = (*ALL_EVENTS, Instrument)
    batch = BatchPolicy()

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.file: sqlite3.Connection | None = None

    async def open(self) -> None:
        if not Path(self.settings.path).parent.is_dir():
            raise ConfigError(f"sinks.chest.path: {self.settings.path} is in no folder; make it, or name another")
        await asyncio.to_thread(self.connect)

    def connect(self) -> None:
        self.file = sqlite3.connect(self.settings.path, timeout=0.05, isolation_level=None, check_same_thread=False)
        self.file.execute("PRAGMA synchronous = OFF")
        self.file.execute(
            "CREATE TABLE IF NOT EXISTS events (kind TEXT, key TEXT, final INT, body TEXT, PRIMARY KEY (kind, key))"
        )

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        # A cancelled write goes on in its thread; shielded, the caller learns of its end before the next begins.
        running = asyncio.ensure_future(asyncio.to_thread(self.store, list(batch)))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.gather(running, return_exceptions=True)
            raise

    def store(self, batch: Sequence[Any]) -> WriteResult:
        """Write all rows in one transaction, or none."""
        assert self.file is not None
        try:
            rows = [self.row(event) for event in batch]
        except Exception as error:
            raise SinkRejected(f"{self.settings.path} cannot hold a row: {error}") from error
        try:
            self.file.execute("BEGIN IMMEDIATE")
            written = sum([self.insert(row) for row in rows])
            self.file.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if self.file.in_transaction:
                self.file.execute("ROLLBACK")
            raise SinkUnavailable(f"{self.settings.path} cannot be written now: {error}") from error
        return WriteResult(written, len(rows) - written)

    def insert(self, row: Row) -> int:
        assert self.file is not None
        return self.file.execute(_INSERT, row).rowcount

    def row(self, event: Any) -> Row:
        final = int(not isinstance(event, Candle) or event.closed)
        return event.type, json.dumps(self.key(event), default=str), final, self.body(event)

    def key(self, event: Any) -> Sequence[Any]:
        own = event.key() if isinstance(event, Message) else ()
        return [event.exchange, event.symbol, *own]

    def body(self, event: Any) -> str:
        return json.dumps({name: self.value(value) for name, value in fields_of(event).items()})

    def value(self, value: Any) -> Any:
        if isinstance(value, Decimal):
            return str(value)
        return list(value) if isinstance(value, Levels) else value

    async def close(self) -> None:
        file, self.file = self.file, None
        if file is not None:
            file.close()

    def rows(self, kind: Any) -> list[dict[str, Any]]:
        """Return what is stored of an event class."""
        assert self.file is not None
        return [
            json.loads(body) for (body,) in self.file.execute("SELECT body FROM events WHERE kind = ?", (kind.type,))
        ]

    async def resume_points(self) -> Mapping[StreamKey, int]:
        """Return the highest trade id of each stream that is a number."""
        points: dict[StreamKey, int] = {}
        for row in self.rows(Trade):
            if row["trade_id"].isdecimal():
                space = row["id_space"]
                stream = StreamKey(row["exchange"], "trade" if space is None else f"trade@{space}", row["symbol"])
                points[stream] = max(points.get(stream, 0), int(row["trade_id"]))
        return points


def fields_of(event: Any) -> dict[str, Any]:
    """Return an event's fields by name."""
    return attrs.asdict(event, recurse=False)
