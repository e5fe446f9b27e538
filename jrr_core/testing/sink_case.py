"""What every check of a sink needs: a sink that is opened and closed around a check, and its rows."""

import asyncio
import inspect
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ..events import StreamEvent
from ..sink import Sink, WriteResult
from . import samples as kit
from .contract import broken

Row = Mapping[str, Any]
ADDS_UP = "WriteResult counts what was new and what was already there, and the two add up to the batch."


class SinkCase:
    """One sink and its store."""

    def make_sink(self, folder: Path) -> Sink:
        """Return a sink, not yet open; the same folder means the same store, another folder an empty one."""
        raise NotImplementedError("SinkSuite: define make_sink(self, folder) in your test class")

    def read_back(self, sink: Sink, kind: type) -> Sequence[Row] | Awaitable[Sequence[Row]]:
        """Return what the open sink's store holds of an event class: one mapping a row, keyed by the event's fields.

        Numbers as Decimal, int or text, levels as pairs or their JSON text. May be a coroutine.
        """
        raise NotImplementedError("SinkSuite: define read_back(self, sink, kind) in your test class")

    def samples(self, kind: type) -> Sequence[Any]:
        """Return valid events of an accepted class; override it for classes of your own."""
        return kit.samples(kind)

    def _run(self, folder: Path, check: Any) -> None:
        async def opened() -> None:
            sink = self.make_sink(folder)
            try:
                await sink.open()
                await check(sink)
            finally:
                await close(sink)

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


async def close(sink: Sink) -> None:
    """Close the sink, once or again."""
    try:
        await sink.close()
    except Exception as error:
        rule = "close is harmless without open and a second time."
        raise AssertionError(broken("failed-open", rule, repr(error))) from error


async def expect(sink: Sink, batch: Sequence[Any], written: int, duplicate: int) -> None:
    """Write the batch and hold its result to what was new and what was known."""
    result = await sink.write(batch)
    assert result == WriteResult(written, duplicate), broken(
        "write-result", f"{ADDS_UP} Expected {written} written, {duplicate} duplicate.", result
    )


def needs(sink: Sink, kind: type) -> None:
    """Skip the test where the sink does not accept the class it is about."""
    if kind not in sink.accepts:
        pytest.skip(f"the sink does not accept {kind.__name__}")
