"""Checks of the Sink contract, for a sink author to inherit.

`make_sink` and `read_back` are all it needs; each rule, with an example, is explained in docs/plugins/conformance.md.
"""

import asyncio
import copy
from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest

from ..errors import SinkRejected, SinkUnavailable
from ..events import Candle, MarkPrice, Quote, StreamEvent, Trade
from ..sink import BatchPolicy, Sink, StreamKey
from . import hostile
from . import samples as kit
from .contract import broken
from .outage_suite import OutageSuite
from .rows import comparable, differences
from .sink_case import close, expect, needs

# Times a write is tried while another has the store.
_PATIENCE = 50


class SinkSuite(OutageSuite):
    """Two dozen tests of one sink; `make_sink` and `read_back` are all an author must give."""

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

    def test_empty_batch_writes_nothing(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            await expect(sink, [], 0, 0)

        self._run(tmp_path, check)

    def test_every_accepted_class_is_stored(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            for kind in sink.accepts:
                batch = self.samples(kind)
                await expect(sink, batch, len(batch), 0)
                await self._expect_rows(sink, kind, len(batch))

        self._run(tmp_path, check)

    def test_classes_may_be_mixed_in_one_batch(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            columns = [list(self.samples(kind)) for kind in sink.accepts]
            batch = [column[i] for i in range(max(map(len, columns))) for column in columns if i < len(column)]
            await expect(sink, batch, len(batch), 0)
            for kind, column in zip(sink.accepts, columns, strict=True):
                await self._expect_rows(sink, kind, len(column))

        self._run(tmp_path, check)

    def test_same_batch_twice_counts_once(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            for kind in sink.accepts:
                batch = self.samples(kind)
                await sink.write(batch)
                await expect(sink, self.samples(kind), 0, len(batch))
                await self._expect_rows(sink, kind, len(batch))

        self._run(tmp_path, check)

    def test_same_batch_after_reopening_counts_once(self, tmp_path: Path) -> None:
        async def first(sink: Sink) -> None:
            for kind in sink.accepts:
                await sink.write(self.samples(kind))

        async def again(sink: Sink) -> None:
            for kind in sink.accepts:
                batch = self.samples(kind)
                await expect(sink, batch, 0, len(batch))
                await self._expect_rows(sink, kind, len(batch))

        self._run(tmp_path, first)
        self._run(tmp_path, again)

    def test_duplicates_beside_new_rows_are_counted_exactly(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            needs(sink, Trade)
            await expect(sink, [kit.trade(1), kit.trade(2)], 2, 0)
            await expect(sink, [kit.trade(2), kit.trade(3), kit.trade(3), kit.trade(1), kit.trade(4)], 2, 3)
            await self._expect_rows(sink, Trade, 4)

        self._run(tmp_path, check)

    def test_same_id_elsewhere_is_another_event(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            needs(sink, Trade)
            elsewhere = [{}, {"symbol": "ETH-USDT"}, {"exchange": "example-futures"}, {"id_space": "agg"}]
            await expect(sink, [kit.trade(1, **changes) for changes in elsewhere], 4, 0)
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

    def test_hostile_names_come_back_exactly_or_are_refused(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            needs(sink, Trade)
            kept = []
            for name in hostile.NAMES:
                try:
                    await sink.write([kit.trade(1, symbol=name)])
                    kept.append(name)
                except SinkRejected:
                    continue
                except Exception as error:
                    rule = "A row with any symbol at all is stored, or refused with SinkRejected."
                    raise AssertionError(broken("hostile-names", rule, f"{name[:60]!r}: {error!r}")) from error
            found = [row["symbol"] for row in await self._rows(sink, Trade)]
            rule = "Symbols come back as they went in, each of its own: quotes, paths, line breaks and other scripts."
            assert sorted(found) == sorted(kept), broken("hostile-names", rule, set(kept) ^ set(found))
            rule = "A store holds the symbols that exchanges do have, in any script."
            assert {"币安人生USDT", "a/b", "a'b"} <= set(kept), broken("hostile-names", rule, kept)

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

    def test_leaves_the_batch_as_it_is(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            for kind in sink.accepts:
                batch = list(self.samples(kind))
                before = copy.deepcopy(batch)
                await sink.write(batch)
                rule = "A sink changes neither the batch nor its events: other sinks hold the same objects."
                assert batch == before, broken("batch-is-shared", rule, batch)

        self._run(tmp_path, check)

    def test_closed_candles_take_the_place_of_open_ones(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            needs(sink, Candle)
            if not getattr(sink, "open_candles", True):
                pytest.skip("the sink is given closed candles only")
            closed = self.samples(Candle)[0]
            opened = attrs.evolve(closed, closed=False, close=closed.low, volume=closed.volume / 2)
            for candle in (opened, closed, opened):
                await sink.write([candle])
            rows = [comparable(row) for row in await self._rows(sink, Candle)]
            changed = differences(closed, rows)
            rule = "A closed candle replaces the open one of its interval and is not replaced by it."
            fit = len(rows) == 1 and not changed
            assert fit, broken("closed-candles", rule, changed or f"{len(rows)} rows")

        self._run(tmp_path, check)

    def test_several_writers_share_the_store(self, tmp_path: Path) -> None:
        rule = "With `several_writers` two open sinks of one store write at a time; each event is new to one of them."

        async def check(sink: Sink) -> None:
            needs(sink, Trade)
            if not getattr(sink, "several_writers", False):
                pytest.skip("the sink does not say that several may write")
            other = self.make_sink(tmp_path)
            try:
                await other.open()
                numbers = range(1, 41)
                shared = [[[kit.trade(number)] for number in order] for order in (numbers, reversed(numbers))]
                counts = await asyncio.gather(_written(sink, shared[0]), _written(other, shared[1]))
            except Exception as error:
                raise AssertionError(broken("several-writers", rule, repr(error))) from error
            finally:
                await close(other)
            assert sum(counts) == len(numbers), broken("several-writers", rule, f"{counts} of {len(numbers)}")
            await self._expect_rows(sink, Trade, len(numbers))

        self._run(tmp_path, check)

    def test_resume_points_are_sequences_by_stream(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            needs(sink, Trade)
            resume_points = getattr(sink, "resume_points", None)
            if resume_points is None:
                pytest.skip("the sink does not offer resume_points")
            await sink.write([kit.trade(number) for number in (7, 9, 8, -901)])
            points = await resume_points()
            rule = "resume_points maps StreamKey to the last stored sequence as int."
            fit = all(isinstance(k, StreamKey) and type(v) is int for k, v in points.items())
            assert fit, broken("resume-points", rule, points)
            rule = "Of trades the resume point is the highest id that is a number, compared as a number."
            found = points.get(StreamKey(kit.EXCHANGE, "trade", kit.SPOT))
            assert found == 1009, broken("resume-points", rule, found)

        self._run(tmp_path, check)


async def _written(sink: Sink, batches: Sequence[Sequence[Trade]]) -> int:
    """Write the batches as core does, again where the store is away for the moment; return how many were new."""
    written = 0
    for batch in batches:
        for left in reversed(range(_PATIENCE)):
            try:
                written += (await sink.write(batch)).written
                break
            except SinkUnavailable:
                if not left:
                    raise
                await asyncio.sleep(0.01)
    return written
