"""What waits in a buffer goes to the spool and comes back, in order: the asyncio side of `spool`.

While it is `active` the drain takes no events from the buffer: all of them go
through the disk, behind those that are there. Encoding is done in slices that
hold the event loop a few ms at most; files are touched in a thread of its own.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from attrs import define

from .buffer import Buffer
from .counters import SinkCounters
from .errors import ConfigError, ParseError
from .journal import say, say_seldom
from .packing import Kinds, Packing, Unpackable, unpack
from .spool import Chunk, Mark, Spool

T = TypeVar("T")
# An event waits at most about twice that long before it is on disk.
_PACE_S = 0.04
# A record holds at most so many events and about so many bytes; one append has at most so many events.
_RECORD_EVENTS = 400
_RECORD_BYTES = 256 * 1024
_APPEND_EVENTS = 4000
# After so long at a stretch the sockets get their turn.
_SLICE_S = 0.002
_RETRY_S = 3.0


@define(eq=False)
class Hand:
    """The batch the drain is writing: what is left of it, and where it ends on disk if it is there."""

    events: Sequence[Any] = ()
    kept: Mark | None = None
    since_s: float = 0.0


class Spooler:
    """Moves one buffer's events to one spool while it is pressed, and hands them back."""

    def __init__(
        self,
        spool: Spool,
        name: str,
        kinds: Kinds,
        buffer: Buffer,
        counters: SinkCounters,
        quarantine: Callable[[str, str, str], None],
    ) -> None:
        """`name` is the sink's; `quarantine` keeps what could not be packed: origin, reason, text."""
        self.spool = spool
        self.hand = Hand()
        self.active = False
        self._name = name
        self._kinds = kinds
        self._buffer = buffer
        self._counters = counters
        self._quarantine = quarantine
        self._moving: Sequence[Any] = ()
        self._flight: asyncio.Future[None] | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._begun = False
        self._trouble = False
        self._retry_s = 0.0

    @property
    def pending(self) -> int:
        """Events on their way to disk and not there yet, the drain's batch not among them."""
        return len(self._moving)

    async def open(self) -> None:
        """Take the folder, at the first call; what earlier runs left counts as published now.

        Raises ConfigError where another process has it. A folder that cannot
        be used is told, and tried again when it is needed.
        """
        if self._begun:
            return
        self._begun = True
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jrr-spool")
        try:
            found = await self._in_thread(self.spool.open)
        except OSError as error:
            self._troubled(error)
            return
        self.active = not self.spool.empty
        self._counters.published += found
        self._counters.spooled += found
        if found:
            say(logging.WARNING, "spool_found", f"{self._name}: {found} events of an earlier run are in the spool "
                f"{self.spool.folder}; they are stored first", sink=self._name, count=found)  # fmt: skip

    async def keep(self, pressed: Callable[[], bool]) -> None:
        """Put events on disk whenever `pressed()`, and whenever those before them are there; until cancelled."""
        while True:
            await self._buffer.pressed(_PACE_S)
            if self._waiting() and (self.active or pressed()) and time.monotonic() >= self._retry_s:
                self._flight = asyncio.ensure_future(self._put_away())
                await asyncio.shield(self._flight)
            elif self.spool.sync_due:
                await self._sync()

    async def next(self, rows: int) -> Sequence[Any]:
        """Return the first events on disk, about `rows`, now in `hand`; empty when there are none: no more active."""
        while self.active:
            chunk = await self._in_thread(self.spool.read, rows)
            if chunk is not None:
                events = await self._unpacked(chunk)
                self.hand.kept, self.hand.events, self.hand.since_s = chunk.mark, events, time.monotonic()
                if events:
                    return events
                await self.release()
            elif self._flight is not None and not self._flight.done():
                await asyncio.shield(self._flight)
            elif self.spool.empty:
                self.active = False
        return ()

    async def release(self) -> None:
        """The batch in hand is stored: it need not be on disk any longer."""
        if self._flight is not None and not self._flight.done():
            await asyncio.shield(self._flight)
        mark, self.hand.kept, self.hand.events = self.hand.kept, None, ()
        if mark is not None:
            await asyncio.shield(asyncio.ensure_future(self._done(mark)))

    async def put_all_away(self) -> None:
        """Put on disk what is left, at a stop; what does not fit stays where it is."""
        if self._flight is not None:
            await self._flight
        self._retry_s = 0.0
        while self._waiting() and self._retry_s == 0.0:
            await self._put_away()

    async def close(self) -> None:
        """Give the folder back."""
        if self._flight is not None:
            await self._flight
        if self._thread is not None:
            await self._in_thread(self.spool.close)
            self._thread.shutdown()

    def _waiting(self) -> bool:
        return bool(len(self._buffer)) or (bool(self.hand.events) and self.hand.kept is None)

    async def _put_away(self) -> None:
        """Move to disk the batch in hand, where it is not there yet, and what waits behind it."""
        self.active = True
        try:
            if not self.spool.is_open:
                await self._open_late()
            hand = self.hand
            if hand.events and hand.kept is None:
                hand.kept = await self._append(list(hand.events))
                # Parts of it may have been stored in the meantime.
                self._counters.spooled += len(hand.events)
            while self._buffer:
                self._moving = self._buffer.cut(_APPEND_EVENTS)
                await self._append(self._moving)
                self._counters.spooled += len(self._moving)
                full, self._moving = len(self._moving) == _APPEND_EVENTS, ()
                self._buffer.relieved()
                if not full:
                    break
        except (OSError, ConfigError) as error:
            self._buffer.give_back(self._moving)
            self._moving = ()
            self._troubled(error)
            self.active = not self.spool.empty
        else:
            self._untroubled()

    async def _append(self, events: Sequence[Any]) -> Mark:
        return await self._in_thread(self.spool.append, await self._packed(events))

    async def _packed(self, events: Sequence[Any]) -> list[tuple[bytes, int]]:
        payloads, packing = [], Packing()
        yield_at = time.monotonic() + _SLICE_S
        for number, event in enumerate(events, start=1):
            packing.add(event)
            if packing.size >= _RECORD_BYTES or len(packing) >= _RECORD_EVENTS or number == len(events):
                payloads.append((packing.payload(), len(packing)))
                packing = Packing()
            if number % 16 == 0 and time.monotonic() > yield_at:
                await asyncio.sleep(0)
                yield_at = time.monotonic() + _SLICE_S
        return payloads

    async def _unpacked(self, chunk: Chunk) -> list[Any]:
        events: list[Any] = []
        for damage in chunk.damages:
            self._damaged(chunk, damage.offset, damage.count, damage.torn)
        for record in chunk.records:
            try:
                found = unpack(record.payload, self._kinds)
            except ParseError as error:
                self._lost(record.count)
                self._damaged(chunk, record.offset, record.count, False, str(error))
                continue
            yield_at = time.monotonic() + _SLICE_S
            for number, event in enumerate(found, start=1):
                events.append(event)
                if number % 16 == 0 and time.monotonic() > yield_at:
                    await asyncio.sleep(0)
                    yield_at = time.monotonic() + _SLICE_S
            await asyncio.sleep(0)
        # What follows is not interrupted by a stop: each of these is counted once.
        for event in events:
            if isinstance(event, Unpackable):
                self._unpackable(event)
        return [event for event in events if not isinstance(event, Unpackable)]

    def _unpackable(self, event: Unpackable) -> None:
        self._counters.spooled -= 1
        self._counters.quarantined += 1
        self._quarantine(self._name, event.reason, event.content)
        say_seldom(logging.ERROR, "row_quarantined", self._name,
                   f"{self._name}: an event in the spool is of no use, kept in quarantine: {event.reason}",
                   sink=self._name, reason=event.reason)  # fmt: skip

    async def _done(self, mark: Mark) -> None:
        self._lost(await self._in_thread(self.spool.done, mark))

    def _lost(self, count: int) -> None:
        self._counters.spooled -= count
        self._counters.dropped += count

    def _damaged(self, chunk: Chunk, offset: int, count: int | None, torn: bool, why: str = "") -> None:
        place = f"{self._name}: {chunk.path} from byte {offset} on"
        if torn:
            say(logging.WARNING, "spool_torn", f"{place} is cut off: jrr or the machine stopped as it was written",
                sink=self._name, file=str(chunk.path), offset=offset)  # fmt: skip
            return
        events = "an unknown number of" if count is None else count
        say(logging.ERROR, "spool_damaged", f"{place} is damaged{why and ': '}{why}; {events} events are lost, "
            "what follows them is read", sink=self._name, file=str(chunk.path), offset=offset, count=count)  # fmt: skip

    async def _open_late(self) -> None:
        """Take the folder that could not be taken at the start; events found now are older than those stored since."""
        if await self._in_thread(self.spool.open):
            await self._in_thread(self.spool.close)
            raise OSError(f"{self.spool.folder} holds events of an earlier run and could not be read at the start; "
                          "start jrr again to have them stored")  # fmt: skip

    async def _sync(self) -> None:
        try:
            await self._in_thread(self.spool.sync)
        except OSError as error:
            say_seldom(logging.ERROR, "spool_sync_failed", self._name,
                       f"{self._name}: the disk does not confirm what is in {self.spool.folder}: {_reason(error)}",
                       sink=self._name)  # fmt: skip

    def _troubled(self, error: Exception) -> None:
        self._retry_s = time.monotonic() + _RETRY_S
        if not self._trouble:
            self._trouble = True
            say(logging.ERROR, "spool_failed", f"{self._name}: cannot spool to {self.spool.folder}: {_reason(error)}; "
                "events wait in memory, and are dropped when that is full; trying again",
                sink=self._name, reason=_reason(error))  # fmt: skip

    def _untroubled(self) -> None:
        if self._trouble:
            self._trouble = False
            say(logging.WARNING, "spool_works", f"{self._name}: {self.spool.folder} takes events again",
                sink=self._name)  # fmt: skip

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        assert self._thread is not None
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
