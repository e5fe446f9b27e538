"""Stream events and coverage in the database: what is stored and the ranges drawn from it change together.

Works inside the writer's transaction. Nothing here is kept until `commit`, so
a transaction that fails leaves the sessions that are live as they were.

Every collector draws its own ranges, under the number of its `slot`; the view
`coverage` puts those of several collectors together. How far live ranges reach
is written once for all of them, as the time up to which their writer was alive.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jrr_core.coverage import Timeline
from jrr_core.events import StreamEvent
from jrr_core.store import Range

from .lines import Streams

_BEAT_NS = 1_000_000_000
_KEY = 6  # columns of the key, which come first
_Row = tuple[Any, ...]


class Ledger:
    """The Timelines of every stream spoken of since this collector opened the store."""

    def __init__(self, schema: str, streams: Streams) -> None:
        """Start with no session live; earlier ranges are read when their stream is first spoken of."""
        self._schema = schema
        self._streams = streams
        self._lines: dict[int, Timeline] = {}
        self._staged: dict[int, Timeline] = {}
        # Events of transactions whose end is not known: those found stored are new to the lines all the same.
        self._unsure: set[_Row] = set()
        self._slot = 0
        self._beat = 0
        self._staged_beat = 0

    async def begin(self, connection: Any, slot: int, owner: str) -> None:
        """Write under this slot, which this collector holds; a slot taken up from another one ends its live ranges."""
        if slot == self._slot:
            return
        schema = self._schema
        async with connection.transaction():
            await connection.execute(
                f"UPDATE {schema}.stored_coverage c SET live = false, ts_to = greatest(c.ts_to, w.alive_to) "
                f"FROM {schema}.writers w WHERE w.slot = $1 AND c.slot = $1 AND c.live",
                slot,
            )
            await connection.execute(
                f"INSERT INTO {schema}.writers VALUES ($1, 0, now(), $2) "
                "ON CONFLICT (slot) DO UPDATE SET alive_to = 0, since = now(), host = excluded.host",
                slot, owner,
            )  # fmt: skip
        self._lines.clear()
        self._slot, self._beat = slot, 0

    def due(self, ts: int) -> bool:
        """Whether something is live and `ts` (int ns) far enough from the last heartbeat for another."""
        return abs(ts - self._beat) >= _BEAT_NS and any(line.live for line in self._lines.values())

    async def write(self, connection: Any, events: Sequence[StreamEvent]) -> int:
        """Store the events, redraw the ranges they change, and return how many were new."""
        rows = [self._row(event) for event in events]
        fresh = await self._insert(connection, rows)
        news = sorted({*fresh, *[index for index, row in enumerate(rows) if row[:_KEY] in self._unsure]})
        self._unsure.update([rows[index][:_KEY] for index in news])
        await self._load(connection, {rows[index][0]: events[index] for index in news})
        for index in news:
            self._staged[rows[index][0]].apply(events[index])
        await self._store(connection)
        return len(fresh)

    async def heartbeat(self, connection: Any, ts: int) -> None:
        """Let the live ranges reach to `ts` (int ns)."""
        await connection.execute(f"UPDATE {self._schema}.writers SET alive_to = $2 WHERE slot = $1", self._slot, ts)
        self._staged_beat = ts

    async def end(self, connection: Any, ts: int) -> None:
        """End the live ranges at `ts`: the store is being closed in order."""
        for stream, line in self._lines.items():
            if line.live:
                self._staged[stream] = line.copy()
                self._staged[stream].heartbeat(ts)
                self._staged[stream].close()
        await self._store(connection)

    def commit(self) -> None:
        """Keep what was staged: the transaction is in the database."""
        self._lines |= self._staged
        self._beat = self._staged_beat
        self._staged.clear()
        self._unsure.clear()

    def rollback(self) -> None:
        """Forget what was staged: the transaction is not in the database."""
        self._staged_beat = self._beat
        self._staged.clear()

    def _row(self, e: StreamEvent) -> _Row:
        first, last = e.sequences if e.sequences is not None else (None, None)
        stream = self._streams[e.exchange, e.symbol, e.what]
        return (stream, e.type, e.session, e.ts_recv, first, last, e.ts_event, e.reason, e.count, e.ts_from, e.ts_to)

    async def _insert(self, connection: Any, rows: Sequence[_Row]) -> list[int]:
        """Store the rows whose key is not there and return their indexes, in order."""
        unique: dict[_Row, int] = {}
        for index, row in enumerate(rows):
            unique.setdefault(row[:_KEY], index)
        columns = [*zip(*[rows[index] for index in unique.values()], strict=True)]
        found = await connection.fetch(
            f"INSERT INTO {self._schema}.stored_stream_events SELECT * FROM unnest($1::int[], $2::text[], $3::text[], "
            "$4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::bigint[], $10::bigint[], "
            "$11::bigint[]) ON CONFLICT DO NOTHING RETURNING stream, type, session, ts_recv, first, last",
            *columns,
        )
        return sorted(unique[tuple(row)] for row in found)

    async def _load(self, connection: Any, spoken: Mapping[int, StreamEvent]) -> None:
        """Stage the line of each stream, from memory or from the ranges stored."""
        unknown = [stream for stream in spoken if stream not in self._lines]
        ranges: dict[int, list[Range]] = {stream: [] for stream in unknown}
        if unknown:
            found = await connection.fetch(
                "SELECT stream, ts_from, ts_to, state, reason, missing "
                f"FROM {self._schema}.stored_coverage WHERE slot = $1 AND stream = ANY ($2) ORDER BY stream, ts_from",
                self._slot, unknown,
            )  # fmt: skip
            for stream, *values in found:
                event = spoken[stream]
                ranges[stream].append(Range(event.exchange, event.what, event.symbol, *values))
        for stream, event in spoken.items():
            line = self._lines.get(stream)
            self._staged[stream] = (
                Timeline(event.exchange, event.what, event.symbol, ranges[stream]) if line is None else line.copy()
            )

    async def _store(self, connection: Any) -> None:
        """Write the ranges that changed in the staged lines."""
        begins: list[tuple[int, int]] = []
        rows: list[_Row] = []
        for stream, line in self._staged.items():
            changes = line.changes()
            if changes is None:
                continue
            after, ranges = changes
            begins.append((stream, -(2**63) if after is None else after))
            last = len(ranges) - 1 if line.live else -1
            rows += [
                (stream, r.ts_from, r.ts_to, r.state, r.reason, r.missing, number == last)
                for number, r in enumerate(ranges)
            ]
        if begins:
            await connection.execute(
                f"DELETE FROM {self._schema}.stored_coverage c "
                "USING unnest($2::int[], $3::bigint[]) AS changed (stream, after) "
                "WHERE c.slot = $1 AND c.stream = changed.stream AND c.ts_from > changed.after",
                self._slot, *zip(*begins, strict=True),
            )  # fmt: skip
        if rows:
            await connection.execute(
                f"INSERT INTO {self._schema}.stored_coverage "
                "(slot, stream, ts_from, ts_to, state, reason, missing, live) "
                "SELECT $1, * FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], "
                "$8::boolean[])",
                self._slot, *zip(*rows, strict=True),
            )  # fmt: skip


async def read_coverage(
    connection: Any,
    schema: str,
    *,
    exchange: str | None = None,
    channel: str | None = None,
    symbol: str | None = None,
) -> list[Range]:
    """Return the coverage ranges, of one exchange, channel or symbol or of all, in order of stream and time."""
    wanted = {"exchange": exchange, "channel": channel, "symbol": symbol}
    given = {name: value for name, value in wanted.items() if value is not None}
    where = " AND ".join([f"{name} = ${number}" for number, name in enumerate(given, start=1)]) or "true"
    found = await connection.fetch(
        "SELECT exchange, channel, symbol, ts_from_ns, ts_to_ns, state, reason, missing "
        f"FROM {schema}.coverage WHERE {where} ORDER BY 1, 2, 3, 4",
        *given.values(),
    )
    return [Range(*row) for row in found]
