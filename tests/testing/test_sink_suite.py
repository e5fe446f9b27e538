"""The sink suite passes a sink that keeps its promises and fails each way of breaking them."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

from jrr_core.errors import ConfigError, SinkUnavailable
from jrr_core.events import ALL_EVENTS, Trade
from jrr_core.instrument import Instrument
from jrr_core.sink import BatchPolicy, Sink, StreamKey, WriteResult
from jrr_core.testing.sink_suite import SinkSuite

Store = dict[tuple[Any, ...], Any]
_stores: dict[str, Store] = {}


class MemorySink:
    """A sink whose store outlives it, keyed by folder."""

    name: ClassVar[str] = "memory"
    Settings: ClassVar[type] = dict
    embedded: ClassVar[bool] = True
    accepts: tuple[type, ...] = (*ALL_EVENTS, Instrument)
    batch = BatchPolicy()

    def __init__(self, settings: Any) -> None:
        self.store = _stores.setdefault(settings, {})
        self.away = False
        self.broken = settings == "/broken"

    async def open(self) -> None:
        if self.broken:
            raise ConfigError("sinks.memory: /broken cannot be opened; name another folder")

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        await asyncio.sleep(0)
        new = self.rows(batch)
        await asyncio.sleep(0)
        if self.away:
            raise SinkUnavailable("the memory is away")
        self.store.update(new)
        return WriteResult(len(new), len(batch) - len(new))

    def rows(self, batch: Sequence[Any]) -> Store:
        return {key: event for event in batch if (key := self.key(event)) not in self.store}

    def key(self, event: Any) -> tuple[Any, ...]:
        own = () if isinstance(event, Instrument) else event.key()
        return (type(event), event.exchange, event.symbol, own)

    async def close(self) -> None:
        self.away = False

    async def resume_points(self) -> dict[StreamKey, int]:
        return {StreamKey("example", "book", "BTC-USDT"): 7007}


class TestMemorySink(SinkSuite):
    sink: ClassVar[type[Sink]] = MemorySink

    def make_sink(self, folder: Path) -> Sink:
        return self.sink(str(folder))

    def make_broken_sink(self, folder: Path) -> Sink:
        return self.sink("/broken")

    def read_back(self, sink: Any, kind: type) -> list[dict[str, Any]]:
        events: list[Any] = [event for event in sink.store.values() if type(event) is kind]
        return [attrs.asdict(event, recurse=False) for event in events]

    @contextmanager
    def away(self, sink: Any) -> Iterator[None]:
        sink.away = True
        yield
        sink.away = False


class CountsWrong(MemorySink):
    async def write(self, batch: Sequence[Any]) -> WriteResult:
        await super().write(batch)
        return WriteResult(len(batch))


class IgnoresSymbol(MemorySink):
    def key(self, event: Any) -> tuple[Any, ...]:
        return (type(event), event.exchange, *super().key(event)[3:])


class KeepsHalfWhenCancelled(MemorySink):
    async def write(self, batch: Sequence[Any]) -> WriteResult:
        new = self.rows(batch)
        for key in new:
            self.store[key] = new[key]
            await asyncio.sleep(0)
        return WriteResult(len(new), len(batch) - len(new))


class GoesThroughFloat(MemorySink):
    def rows(self, batch: Sequence[Any]) -> Store:
        rounded = [
            attrs.evolve(e, price=type(e.price)(float(e.price))) if isinstance(e, Trade) else e  # the mistake
            for e in batch
        ]
        return super().rows(rounded)


class WritesZeroForNone(MemorySink):
    def rows(self, batch: Sequence[Any]) -> Store:
        return super().rows(
            [attrs.evolve(e, ts_event=0) if isinstance(e, Trade) and e.ts_event is None else e for e in batch]
        )


class HidesTheOutage(MemorySink):
    async def write(self, batch: Sequence[Any]) -> WriteResult:
        return WriteResult(len(batch)) if self.away else await super().write(batch)


class ClosesOnce(MemorySink):
    closed = False

    async def close(self) -> None:
        assert not self.closed, "closed twice"
        self.closed = True


@pytest.mark.parametrize(
    ("sink", "test", "anchor"),
    [
        (CountsWrong, "test_same_batch_twice_counts_once", "write-result"),
        (CountsWrong, "test_duplicates_beside_new_rows_are_counted_exactly", "write-result"),
        (IgnoresSymbol, "test_same_id_elsewhere_is_another_event", "write-result"),
        (KeepsHalfWhenCancelled, "test_cancelled_write_stores_all_or_nothing", "cancelled-write"),
        (KeepsHalfWhenCancelled, "test_write_cancelled_before_closing_stores_all_or_nothing", "cancelled-write"),
        (GoesThroughFloat, "test_values_come_back_exactly", "exact-values"),
        (WritesZeroForNone, "test_none_is_not_zero", "none-is-not-zero"),
        (HidesTheOutage, "test_nothing_is_lost_or_doubled_when_the_store_goes_away", "store-away"),
        (ClosesOnce, "test_close_twice_is_harmless", "closed twice"),
    ],
)
def test_a_broken_promise_fails_by_name(sink: type[Sink], test: str, anchor: str, tmp_path: Path) -> None:
    suite = type("Suite", (TestMemorySink,), {"sink": sink})()
    with pytest.raises(AssertionError, match=anchor):
        getattr(suite, test)(tmp_path)
