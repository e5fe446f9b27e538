"""The half of SinkSuite that is about bad days: failed opens, cancelled writes, refused rows, a store that is away.

Every rule is explained in docs/plugins/conformance.md.
"""

import asyncio
import os
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ..errors import ConfigError, SinkRejected, SinkUnavailable
from ..events import Trade
from ..sink import Sink, WriteResult
from . import calls
from . import samples as kit
from .contract import broken
from .sink_case import ADDS_UP, SinkCase, close, expect, needs

_FILES = Path("/proc/self/fd")


class OutageSuite(SinkCase):
    """Tests of a sink's failures."""

    # What no error text and no repr may show, where `make_broken_sink` was given it: passwords, tokens.
    secrets: ClassVar[Sequence[str]] = ()

    def make_broken_sink(self, folder: Path) -> Sink | None:
        """Return a sink whose `open` must fail (an unreachable server, a path that cannot be), if there can be one."""
        return None

    def away(self, sink: Sink) -> AbstractContextManager[None] | None:
        """Return a context inside which the store cannot take data (a lock, a killed connection), if there is one."""
        return None

    def refused(self) -> Sequence[Any]:
        """Return events the store cannot hold, one at least; empty where it holds anything."""
        return ()

    def test_close_twice_is_harmless(self, tmp_path: Path) -> None:
        self._run(tmp_path, close)

    def test_close_without_open_is_harmless(self, tmp_path: Path) -> None:
        asyncio.run(close(self.make_sink(tmp_path)))

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

    def test_secrets_are_never_shown(self, tmp_path: Path) -> None:
        sink = self.make_broken_sink(tmp_path)
        if sink is None or not self.secrets:
            pytest.skip("make_broken_sink gives none, or secrets is empty")

        async def said() -> str:
            raised = (await asyncio.gather(sink.open(), return_exceptions=True))[0]
            await sink.close()
            return f"{raised} {raised!r} {sink!r} {getattr(sink, 'settings', '')!r}"

        shown = [secret for secret in self.secrets if secret in asyncio.run(said())]
        rule = "No error and no repr of the sink or its settings shows a secret: setting(..., secret=True)."
        assert not shown, broken("secrets", rule, shown)

    def test_close_releases_everything(self, tmp_path: Path) -> None:
        async def write(sink: Sink) -> None:
            await sink.write([kit.trade(1)] if Trade in sink.accepts else [])

        self._run(tmp_path, write)
        before = _held()
        for _ in range(3):
            self._run(tmp_path, write)
        grown = {name: count - before[name] for name, count in _held().items() if count - before[name] >= 3}
        rule = "close gives back files, sockets and threads."
        assert not grown, broken("close-releases", rule, f"{grown} more after three times")

    def test_refused_rows_take_their_batch_with_them(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            needs(sink, Trade)
            if not self.refused():
                pytest.skip("refused() gives none")
            for number, event in enumerate(self.refused()):
                good = [kit.trade(2 * number), kit.trade(2 * number + 1)]
                rule = "A batch with a row the store cannot hold raises SinkRejected, and nothing of it is stored."
                raised = (await asyncio.gather(sink.write([good[0], event, good[1]]), return_exceptions=True))[0]
                assert isinstance(raised, SinkRejected), broken("refused-rows", rule, repr(raised))
                await expect(sink, good, 2, 0)

        self._run(tmp_path, check)

    def test_the_event_loop_is_not_held_up(self, tmp_path: Path) -> None:
        async def write(sink: Sink) -> None:
            await sink.write([kit.trade(i) for i in range(20)] if Trade in sink.accepts else [])

        found = calls.sleeping(lambda: self._run(tmp_path, write))
        rule = "open, write and close neither sleep nor wait for a disk in the event loop's thread."
        assert not found, broken("event-loop", rule, found)

    def test_cancelled_write_stores_all_or_nothing(self, tmp_path: Path) -> None:
        async def check(sink: Sink) -> None:
            needs(sink, Trade)
            size = 300
            for attempt, pause_s in enumerate((0, 0, 0.0005, 0.001, 0.002, 0.005, 0.02)):
                batch = [kit.trade(attempt * size + i) for i in range(size)]
                await _cancel(sink, batch, attempt + 1, pause_s)
                result = (await asyncio.gather(sink.write(batch), return_exceptions=True))[0]
                rule = f"A cancelled write of {size} rows leaves all or nothing: written again all are new or none."
                whole = result in (WriteResult(size, 0), WriteResult(0, size))
                assert whole, broken("cancelled-write", rule, repr(result))
                await self._expect_rows(sink, Trade, (attempt + 1) * size)

        self._run(tmp_path, check)

    def test_write_cancelled_before_closing_stores_all_or_nothing(self, tmp_path: Path) -> None:
        async def cancelled(sink: Sink) -> None:
            needs(sink, Trade)
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
            needs(sink, Trade)
            gone = self.away(sink)
            if gone is None:
                pytest.skip("away() gives no context")
            await expect(sink, first, 50, 0)
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
            assert result.written + result.duplicate == len(second), broken("write-result", ADDS_UP, result)
            await self._expect_rows(sink, Trade, 100)

        self._run(tmp_path, interrupted)
        self._run(tmp_path, reopened)


async def _cancel(sink: Sink, batch: Sequence[Any], pauses: int, pause_s: float) -> None:
    """Cancel a write that has run for that many pauses."""
    task = asyncio.ensure_future(sink.write(batch))
    for _ in range(pauses):
        await asyncio.sleep(pause_s)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _held() -> dict[str, int]:
    """Return how many files and threads this process has; no files where the system does not tell."""
    files = len(os.listdir(_FILES)) if _FILES.exists() else 0
    return {"files": files, "threads": threading.active_count()}
