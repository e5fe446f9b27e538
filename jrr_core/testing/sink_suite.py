"""Checks of the Sink contract, for a sink author to inherit.

`make_sink` and `read_back` are all it needs; each rule, with an example, is explained in docs/plugins/conformance.md.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from ..errors import ConfigError, SinkUnavailable
from ..events import MarkPrice, Quote, StreamEvent, Trade
from ..sink import BatchPolicy, Sink, StreamKey, WriteResult
from . import samples as kit
from .contract import broken
from .rows import comparable, differences

Row = Mapping[str, Any]


class SinkSuite:
    """A dozen and more tests of one sink; `make_sink` and `read_back` are all an author must give."""

    def make_sink(self, folder: Path) -> Sink:
        """Return a sink, not yet open; the same folder means the same store, another folder an empty one."""
        raise NotImplementedError("SinkSuite: define make_sink(self, folder) in your test class")

    def read_back(self, sink: Sink, kind: type) -> Sequence[Row] | Awaitable[Sequence[Row]]:
        """Return what the open sink's store holds of an event class: one mapping a row, keyed by the event's fields.

        Numbers as Decimal, int or text, levels as pairs or their JSON text. May be a coroutine.
        """
        raise NotImplementedError("SinkSuite: define read_back(self, sink, kind) in your test class")

    def make_broken_sink(self, folder: Path) -> Sink | None:
        """Return a sink whose `open` must fail (an unreachable server, a path that cannot be), if there can be one."""
        return None

    def away(self, sink: Sink) -> AbstractContextManager[None] | None:
        """Return a context inside which the store cannot take data (a lock, a killed connection), if there is one."""
        return None

    def samples(self, kind: type) -> Sequence[Any]:
        """Return valid events of an accepted class; override it for classes of your own."""
        return kit.samples(kind)

    def test_says_what_it_accepts_and_how_it_batches(self, tmp_path: Path) -> None:
        sink = self.make_sink(tmp_path)
        rule = "A sink has a name, names the event classes it accepts, and has a batch policy above zero."
        assert sink.name, broken("sink-describes-itself", rule, "no name")
        fit = bool(sink.accepts) and all(isinstance(kind, type) for kind in sink.accepts)
        assert fit, broken("sink-describes-itself", rule, sink.accepts)
        policy = sink.batch
        sane = isinstance(policy, BatchPolicy) and policy.max_rows > 0 and policy.max_age_s > 0
        assert sane, broken("sink-describes-itself", rule, policy)

    def test_opens_and_closes(self, tmp_path: Path) -> None:
        self._run(tmp_path, lambda sink: asyncio.sleep(0))

    def test_close_twice_is_harmless(self, tmp_path: Path) -> None:
        self._run(tmp_path, lambda sink: sink.close())

    def test_close_without_open_is_harmless(self, tmp_path: Path) -> None:
        asyncio.run(self.make_sink(tmp_path).close())

    def test_failed_open_names_who_must_act_and_close_after_it_is_harmless(self, tmp_path: Path) -> None:
        sink = self.make_broken_sink(tmp_path)
        if sink is None:
            pytest.skip("make_broken_sink gives none")

        async def fail_to_open(sink: Sink) -> None:
            rule = "A failed open raises ConfigError (the user must act) or SinkUnavailable (it may pass) and says why."
            raised = (await asyncio.gather(sink.open(), return_exceptions=True))[0]
            await sink.close()
            known = isinstance(raised, (ConfigError, SinkUnavailable)) and str(raised)
            assert known, broken("failed-open", rule, repr(raised))

        asyncio.run(fail_to_open(sink))

    def test_empty_batch_writes_nothing(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            await _expect(sink, [], 0, 0)

        self._run(tmp_path, check)

    def test_every_accepted_class_is_stored(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            for kind in sink.accepts:
                batch = self.samples(kind)
                await _expect(sink, batch, len(batch), 0)
                await self._expect_rows(sink, kind, len(batch))

        self._run(tmp_path, check)

    def test_classes_may_be_mixed_in_one_batch(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            columns = [list(self.samples(kind)) for kind in sink.accepts]
            batch = [column[i] for i in range(max(map(len, columns))) for column in columns if i < len(column)]
            await _expect(sink, batch, len(batch), 0)
            for kind, column in zip(sink.accepts, columns, strict=True):
                await self._expect_rows(sink, kind, len(column))

        self._run(tmp_path, check)

    def test_same_batch_twice_counts_once(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            for kind in sink.accepts:
                batch = self.samples(kind)
                await sink.write(batch)
                await _expect(sink, self.samples(kind), 0, len(batch))
                await self._expect_rows(sink, kind, len(batch))

        self._run(tmp_path, check)

    def test_same_batch_after_reopening_counts_once(self, tmp_path: Path) -> None:
        async def first(sink: Sink) -> None:
            for kind in sink.accepts:
                await sink.write(self.samples(kind))

        async def again(sink: Sink) -> None:
            for kind in sink.accepts:
                batch = self.samples(kind)
                await _expect(sink, batch, 0, len(batch))
                await self._expect_rows(sink, kind, len(batch))

        self._run(tmp_path, first)
        self._run(tmp_path, again)

    def test_duplicates_beside_new_rows_are_counted_exactly(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            _needs(sink, Trade)
            await _expect(sink, [kit.trade(1), kit.trade(2)], 2, 0)
            await _expect(sink, [kit.trade(2), kit.trade(3), kit.trade(3), kit.trade(1), kit.trade(4)], 2, 3)
            await self._expect_rows(sink, Trade, 4)

        self._run(tmp_path, check)

    def test_same_id_elsewhere_is_another_event(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            _needs(sink, Trade)
            elsewhere = [{}, {"symbol": "ETH-USDT"}, {"exchange": "example-futures"}, {"id_space": "agg"}]
            await _expect(sink, [kit.trade(1, **changes) for changes in elsewhere], 4, 0)
            await self._expect_rows(sink, Trade, 4)

        self._run(tmp_path, check)

    def test_values_come_back_exactly(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            for kind in sink.accepts:
                if issubclass(kind, StreamEvent):
                    continue
                batch = self.samples(kind)
                await sink.write(batch)
                found = [comparable(row) for row in await self._rows(sink, kind)]
                rule = f"Every field of a {kind.__name__} comes back as it went in: numbers exact, None as None."
                for event in batch:
                    changed = differences(event, found)
                    assert not changed, broken("exact-values", rule, f"{{field: (written, read)}} = {changed}")

        self._run(tmp_path, check)

    def test_none_is_not_zero(self, tmp_path: Path) -> None:
        unsent: dict[type, Sequence[str]] = {
            Trade: ("ts_event", "side", "kind", "id_space"),
            Quote: ("bid_price", "bid_amount"),
            MarkPrice: ("index_price",),
        }

        async def check(sink: Sink) -> None:
            for kind, names in unsent.items():
                if kind not in sink.accepts:
                    continue
                event = next(e for e in self.samples(kind) if all(getattr(e, name) is None for name in names))
                await sink.write([event])
                row = (await self._rows(sink, kind))[0]
                zeros = {name: row[name] for name in names if row[name] is not None}
                rule = f"A field of a {kind.__name__} that was not sent is None, never 0 or empty text."
                assert not zeros, broken("none-is-not-zero", rule, zeros)

        self._run(tmp_path, check)

    def test_cancelled_write_stores_all_or_nothing(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            _needs(sink, Trade)
            size = 300
            for attempt, pause_s in enumerate((0, 0, 0.0005, 0.001, 0.002, 0.005, 0.02)):
                batch = [kit.trade(attempt * size + i) for i in range(size)]
                await _cancel(sink, batch, attempt + 1, pause_s)
                result = await sink.write(batch)
                rule = f"A cancelled write of {size} rows leaves all or nothing: written again all are new or none."
                whole = result in (WriteResult(size, 0), WriteResult(0, size))
                assert whole, broken("cancelled-write", rule, result)
                await self._expect_rows(sink, Trade, (attempt + 1) * size)

        self._run(tmp_path, check)

    def test_write_cancelled_before_closing_stores_all_or_nothing(self, tmp_path: Path) -> None:
        async def cancelled(sink: Sink) -> None:
            _needs(sink, Trade)
            await _cancel(sink, [kit.trade(i) for i in range(300)], 2, 0)

        async def reopened(sink: Sink) -> None:
            kept = len(await self._rows(sink, Trade))
            rule = "A write of 300 rows, cancelled before the sink is closed, leaves all or nothing."
            assert kept in (0, 300), broken("cancelled-write", rule, f"{kept} rows")

        self._run(tmp_path, cancelled)
        self._run(tmp_path, reopened)

    def test_nothing_is_lost_or_doubled_when_the_store_goes_away(self, tmp_path: Path) -> None:
        first, second = [kit.trade(i) for i in range(50)], [kit.trade(i) for i in range(40, 100)]

        async def interrupted(sink: Sink) -> None:
            _needs(sink, Trade)
            gone = self.away(sink)
            if gone is None:
                pytest.skip("away() gives no context")
            await _expect(sink, first, 50, 0)
            rule = "A write to a store that is away raises SinkUnavailable, so that core keeps the batch."
            with gone:
                try:
                    result = await sink.write(second)
                except SinkUnavailable:
                    return
                except Exception as error:
                    raise AssertionError(broken("store-away", rule, repr(error))) from error
                raise AssertionError(broken("store-away", rule, result))

        async def reopened(sink: Sink) -> None:
            result = await sink.write(second)
            assert result.written + result.duplicate == len(second), broken("write-result", _adds_up, result)
            await self._expect_rows(sink, Trade, 100)

        self._run(tmp_path, interrupted)
        self._run(tmp_path, reopened)

    def test_resume_points_are_sequences_by_stream(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            resume_points = getattr(sink, "resume_points", None)
            if resume_points is None:
                pytest.skip("the sink does not offer resume_points")
            for kind in sink.accepts:
                await sink.write(self.samples(kind))
            points = await resume_points()
            rule = "resume_points maps StreamKey to the last stored sequence as int."
            fit = all(isinstance(k, StreamKey) and type(v) is int for k, v in points.items())
            assert fit, broken("resume-points", rule, points)

        self._run(tmp_path, check)

    def _run(self, folder: Path, check: Any) -> None:
        async def opened() -> None:
            sink = self.make_sink(folder)
            try:
                await sink.open()
                await check(sink)
            finally:
                await sink.close()

        asyncio.run(opened())

    async def _rows(self, sink: Sink, kind: type) -> Sequence[Row]:
        rows = self.read_back(sink, kind)
        return await rows if inspect.isawaitable(rows) else rows

    async def _expect_rows(self, sink: Sink, kind: type, count: int) -> None:
        if issubclass(kind, StreamEvent):
            return
        found = len(await self._rows(sink, kind))
        rule = f"Each {kind.__name__} written is in the store once: {count} rows."
        assert found == count, broken("stored-once", rule, f"{found} rows")


_adds_up = "WriteResult counts what was new and what was already there, and the two add up to the batch."


async def _expect(sink: Sink, batch: Sequence[Any], written: int, duplicate: int) -> None:
    result = await sink.write(batch)
    assert result == WriteResult(written, duplicate), broken(
        "write-result", f"{_adds_up} Expected {written} written, {duplicate} duplicate.", result
    )


async def _cancel(sink: Sink, batch: Sequence[Any], pauses: int, pause_s: float) -> None:
    """Cancel a write that has run for that many pauses."""
    task = asyncio.ensure_future(sink.write(batch))
    for _ in range(pauses):
        await asyncio.sleep(pause_s)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _needs(sink: Sink, kind: type) -> None:
    if kind not in sink.accepts:
        pytest.skip(f"the sink does not accept {kind.__name__}")
