"""Wrong sinks: what they store, what they say of it, and what they do on bad days."""

import asyncio
import sqlite3
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import attrs

from jrr_core.errors import SinkRejected, SinkUnavailable
from jrr_core.events import Trade
from jrr_core.sink import BatchPolicy, StreamKey, WriteResult
from tests.conformance.reference.sink import ChestSink, Row


class CountsAll(ChestSink):
    """Duplicates count as written."""

    rule = "write-result"

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        await super().write(batch)
        return WriteResult(len(batch))


class ForgetsTheSymbol(ChestSink):
    """The same trade id of another symbol is the same trade."""

    rule = "write-result"

    def key(self, event: Any) -> Sequence[Any]:
        exchange, _, *own = super().key(event)
        return [exchange, *own]


class ForgetsTheIdSpace(ChestSink):
    """Ids of another numbering are the same ids."""

    rule = "write-result"

    def key(self, event: Any) -> Sequence[Any]:
        key = super().key(event)
        return key[:3] if isinstance(event, Trade) else key


class NotIdempotent(ChestSink):
    """The same batch again is stored again."""

    rule = "write-result"

    def key(self, event: Any) -> Sequence[Any]:
        return [*super().key(event), uuid.uuid4().hex]


class RemembersForItself(ChestSink):
    """Duplicates are known until the sink is closed."""

    rule = "write-result"

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.run = uuid.uuid4().hex

    def key(self, event: Any) -> Sequence[Any]:
        return [*super().key(event), self.run]


class DropsTheOthers(ChestSink):
    """Of a mixed batch the events of the first class are stored."""

    rule = "stored-once"

    def store(self, batch: Sequence[Any]) -> WriteResult:
        first = [event for event in batch if type(event) is type(batch[0])]
        result = super().store(first)
        return WriteResult(result.written + len(batch) - len(first), result.duplicate)


class FloatPrices(ChestSink):
    """Numbers are stored as floats."""

    rule = "exact-values"

    def value(self, value: Any) -> Any:
        return str(float(value)) if isinstance(value, Decimal) else super().value(value)


class EightDigits(ChestSink):
    """Numbers are stored with eight digits behind the point."""

    rule = "exact-values"

    def value(self, value: Any) -> Any:
        return f"{value:.8f}" if isinstance(value, Decimal) else super().value(value)


class ZeroIsNull(ChestSink):
    """What is falsy is stored as NULL."""

    rule = "exact-values"

    def value(self, value: Any) -> Any:
        return super().value(value) if value else None


class CleansSymbols(ChestSink):
    """What is no letter, digit or dash in a symbol is left out."""

    rule = "hostile-names"

    def row(self, event: Any) -> Row:
        clean = "".join([char for char in event.symbol if char.isalnum() or char == "-"])
        return super().row(attrs.evolve(event, symbol=clean))


class TrustsSymbols(ChestSink):
    """A symbol stands in a statement as it is."""

    rule = "hostile-names"

    def row(self, event: Any) -> Row:
        assert self.file is not None
        self.file.execute(f"SELECT '{event.symbol}'")
        return super().row(event)


class NullIsZero(ChestSink):
    """What was not sent is stored as 0."""

    rule = "none-is-not-zero"

    def value(self, value: Any) -> Any:
        return 0 if value is None else super().value(value)


class NullIsEmpty(ChestSink):
    """What was not sent is stored as empty text."""

    rule = "none-is-not-zero"

    def value(self, value: Any) -> Any:
        return "" if value is None else super().value(value)


class Milliseconds(ChestSink):
    """Times are stored in milliseconds."""

    rule = "exact-values"

    def value(self, value: Any) -> Any:
        return value // 10**6 * 10**6 if isinstance(value, int) and value > 10**17 else super().value(value)


class PartialOnError(ChestSink):
    """Rows before a bad one stay in the store."""

    rule = "write-result"

    def store(self, batch: Sequence[Any]) -> WriteResult:
        done = [super(PartialOnError, self).store([event]) for event in batch]
        return WriteResult(sum(one.written for one in done), sum(one.duplicate for one in done))


class SkipsBadRows(ChestSink):
    """Rows the store cannot hold are left out in silence."""

    rule = "refused-rows"

    def store(self, batch: Sequence[Any]) -> WriteResult:
        good = []
        for event in batch:
            try:
                self.row(event)
            except Exception:
                continue
            good.append(event)
        result = super().store(good)
        return WriteResult(result.written, len(batch) - result.written)


class RefusesInItsOwnWords(ChestSink):
    """A bad row raises what the driver raises."""

    rule = "refused-rows"

    def store(self, batch: Sequence[Any]) -> WriteResult:
        try:
            return super().store(batch)
        except SinkRejected as error:
            raise TypeError(str(error)) from error


class HidesTheOutage(ChestSink):
    """A batch that could not be stored counts as stored."""

    rule = "store-away"

    def store(self, batch: Sequence[Any]) -> WriteResult:
        try:
            return super().store(batch)
        except SinkUnavailable:
            return WriteResult(len(batch))


class LeaksTheDriver(ChestSink):
    """A store that is away raises what the driver raises."""

    rule = "store-away"

    def store(self, batch: Sequence[Any]) -> WriteResult:
        try:
            return super().store(batch)
        except SinkUnavailable as error:
            raise sqlite3.OperationalError(str(error)) from error


class RefusesTheOutage(ChestSink):
    """A store that is away refuses the rows, so that core throws them away one by one."""

    rule = "store-away"

    def store(self, batch: Sequence[Any]) -> WriteResult:
        try:
            return super().store(batch)
        except SinkUnavailable as error:
            raise SinkRejected(str(error)) from error


class KeepsHalfWhenCancelled(ChestSink):
    """Rows are stored one by one, with a rest between."""

    rule = "cancelled-write"

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        written = 0
        for event in batch:
            written += self.store([event]).written
            await asyncio.sleep(0)
        return WriteResult(written, len(batch) - written)


class LosesTheCancelled(ChestSink):
    """A batch is noted as stored before it is: cancelled in between it is lost."""

    rule = "stored-once"

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.noted: set[str] = set()

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        rows = [event for event in batch if self.row(event)[1] not in self.noted]
        self.noted.update(self.row(event)[1] for event in rows)
        await asyncio.sleep(0.001)
        result = await super().write(rows)
        return WriteResult(result.written, len(batch) - result.written)


class StaysBusy(ChestSink):
    """After a cancelled write the sink takes no more."""

    rule = "cancelled-write"
    busy = False

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        if self.busy:
            raise SinkUnavailable("a write is going on")
        self.busy = True
        result = await super().write(batch)
        self.busy = False
        return result


class LastCandleWins(ChestSink):
    """An open candle that comes late replaces the closed one."""

    rule = "closed-candles"
    serial: ClassVar[int] = 0

    def row(self, event: Any) -> Row:
        kind, key, final, body = super().row(event)
        if kind == "candle":
            final = LastCandleWins.serial = LastCandleWins.serial + 1
        return kind, key, final, body


class FirstCandleWins(ChestSink):
    """The first state of a candle stays."""

    rule = "closed-candles"

    def row(self, event: Any) -> Row:
        kind, key, _, body = super().row(event)
        return kind, key, 1, body


class TellsTheToken(ChestSink):
    """The error of a failed open quotes the token."""

    rule = "secrets"

    async def open(self) -> None:
        try:
            await super().open()
        except Exception as error:
            raise type(error)(f"{error} (token {self.settings.token})") from error


class ShowsTheToken(ChestSink):
    """The repr of the sink has the token in it."""

    rule = "secrets"

    def __repr__(self) -> str:
        return f"ShowsTheToken(path={self.settings.path}, token={self.settings.token})"


class ClosesOnce(ChestSink):
    """A second close raises."""

    rule = "failed-open"
    closed = False

    async def close(self) -> None:
        if self.closed:
            raise RuntimeError("closed twice")
        self.closed = True
        await super().close()


class ClosesWhatIsOpen(ChestSink):
    """Close without open raises."""

    rule = "failed-open"

    async def close(self) -> None:
        if self.file is not None:
            self.file.close()
        else:
            raise AttributeError("no file to close")


class OpensInItsOwnWords(ChestSink):
    """A file that cannot be opened raises what the driver raises."""

    rule = "failed-open"

    async def open(self) -> None:
        await asyncio.to_thread(self.connect)


class KeepsTheFile(ChestSink):
    """Close leaves the file open."""

    rule = "close-releases"
    kept: ClassVar[list[Any]] = []

    async def close(self) -> None:
        self.kept.append(self.file)
        self.file = None


class LeavesThreads(ChestSink):
    """Each sink leaves a thread behind."""

    rule = "close-releases"
    stop: ClassVar[threading.Event] = threading.Event()

    async def open(self) -> None:
        await super().open()
        threading.Thread(target=self.stop.wait, args=(5,), daemon=True).start()


class HoldsUpTheLoop(ChestSink):
    """A write sleeps in the event loop's thread."""

    rule = "event-loop"

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        time.sleep(0.0001)  # noqa: ASYNC251 - the mistake
        return await super().write(batch)


class ChangesEvents(ChestSink):
    """Events are cleaned up for the store, in place."""

    rule = "batch-is-shared"

    def store(self, batch: Sequence[Any]) -> WriteResult:
        for event in batch:
            if isinstance(event, Trade):
                event.kind = event.kind or "normal"
        return super().store(batch)


class EmptiesTheBatch(ChestSink):
    """The list of events is used up."""

    rule = "batch-is-shared"

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        result = await super().write(batch)
        if isinstance(batch, list):
            batch.clear()
        return result


class ResumesByText(ChestSink):
    """The highest trade id is looked for among texts, where 99 is above 1009."""

    rule = "resume-points"

    async def resume_points(self) -> Mapping[StreamKey, int]:
        points = dict(await super().resume_points())
        ids: dict[StreamKey, str] = {}
        for row in self.rows(Trade):
            stream = StreamKey(row["exchange"], "trade", row["symbol"])
            ids[stream] = max(ids.get(stream, ""), row["trade_id"])
        return points | {stream: int(text) for stream, text in ids.items() if text.isdecimal()}


class ResumesByTheLast(ChestSink):
    """The trade that was stored last is where the stream ended."""

    rule = "resume-points"

    async def resume_points(self) -> Mapping[StreamKey, int]:
        return {StreamKey(row["exchange"], "trade", row["symbol"]): int(row["trade_id"]) for row in self.rows(Trade)}


class KeepsTheStoreToItself(ChestSink):
    """Several may write, it says, but whoever comes second is put off until the first closes."""

    rule = "several-writers"
    owners: ClassVar[dict[str, ChestSink]] = {}

    def store(self, batch: Sequence[Any]) -> WriteResult:
        if self.owners.setdefault(self.settings.path, self) is not self:
            raise SinkUnavailable("somebody else writes")
        return super().store(batch)

    async def close(self) -> None:
        if self.owners.get(self.settings.path) is self:
            del self.owners[self.settings.path]
        await super().close()


class NoBatches(ChestSink):
    """The batch policy writes nothing."""

    rule = "sink-describes-itself"
    batch = BatchPolicy(max_rows=0)


class AcceptsNothing(ChestSink):
    """The sink accepts no events."""

    rule = "sink-describes-itself"
    accepts: tuple[type, ...] = ()


class ForgetsFields(ChestSink):
    """A field that was added to an event later has no column."""

    rule = "exact-values"

    def body(self, event: Any) -> str:
        return super().body(event).replace('"kind"', '"mark"')


class FailsLate(ChestSink):
    """An error on the way out comes to nobody."""

    survives = (
        "a close fails only when the disk is full or the server dies just then; the kit has no way to bring that about "
        "in a store it does not know"
    )

    async def close(self) -> None:
        try:
            await super().close()
        except Exception:
            return
