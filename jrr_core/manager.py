"""The run: exchanges, buses, sinks and subscribers wired together, started, stopped in order, accounted for.

Made by `ManagerBuilder`. Everything runs in one TaskGroup on one event loop.
"""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextvars import ContextVar
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from attrs import asdict

from .account import Account
from .alarms import Alarms
from .buffer import Buffer
from .bus import Bus
from .capture import Capture
from .counters import SinkCounters
from .crew import Crew
from .drain import Drain
from .errors import ConfigError
from .events import Gap, Message
from .exchange import Exchange
from .journal import say, say_seldom, tell_folded
from .line import Line
from .notify import Callback, CallbackSubscriber, Notified, Notifier, accepts
from .quarantine import Quarantine
from .sink import BatchPolicy, Sink, StreamKey
from .store import Store
from .subscription import Subscription
from .unhealed import candle_points, unhealed

if TYPE_CHECKING:
    from .observe.server import Observer

VERSION = version("jrr-core")
_CALLBACK_BATCH = BatchPolicy(max_rows=1000, max_age_s=0.0)
_TICK_S = 0.2
_reading: ContextVar["Manager | None"] = ContextVar("jrr_reading", default=None)
"""The manager whose sink or subscriber is being called; tasks started there inherit it."""


class Manager:
    """Collects what was subscribed into every sink and subscriber until stopped.

    `alarms` are what needs somebody's attention; `observer`, where there is one, shows its stats over HTTP meanwhile.
    """

    def __init__(
        self,
        bus: Bus,
        exchanges: Mapping[str, Exchange],
        drains: Sequence[Drain],
        quarantine: Quarantine,
        capture: Capture | None,
        *,
        instance: str,
        buffer_events: int,
        stop_timeout_s: float,
    ) -> None:
        """Called by ManagerBuilder."""
        self.exchanges = dict(exchanges)
        self.drains = list(drains)
        self.notifiers: list[Notifier] = []

        self.alarms = Alarms()
        self.observer: Observer | None = None
        self._bus = bus
        self._quarantine = quarantine
        self._capture = capture
        self._instance = instance
        self._buffer_events = buffer_events
        self._stop_timeout_s = stop_timeout_s
        self._started = time.monotonic()
        self._began_ns = time.time_ns()
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._stopped = asyncio.Event()
        self._begun = False
        self._crew: Crew | None = None
        self._beside: list[tuple[Callable[[], Coroutine[Any, Any, None]], str]] = []
        for drain in self.drains:
            drain.resumed = partial(self._resume, drain.sink)

    async def subscribe(self, wanted: Iterable[Subscription | str]) -> None:
        """Collect these too, before or while running.

        Raises ConfigError naming the exchange, channel or symbol that does
        not exist; nothing of that exchange's part is then subscribed.
        """
        chosen = self._by_exchange(wanted)
        found = await asyncio.gather(
            *[exchange.subscribe(subscriptions) for exchange, subscriptions in chosen.items()], return_exceptions=True
        )
        for exchange in chosen:
            self._carry(exchange)
        for lines in found:
            if isinstance(lines, BaseException):
                raise lines

    async def check(self, wanted: Iterable[Subscription | str]) -> None:
        """Raise the ConfigError that `subscribe` would; change nothing."""
        for exchange, subscriptions in self._by_exchange(wanted).items():
            await exchange.check(subscriptions)

    async def subscribe_exchange(self, exchange: str, streams: Sequence[str]) -> None:
        """Collect streams of one exchange: its own stream names, or `channel:symbol`."""
        named = [streams] if isinstance(streams, str) else streams
        await self.subscribe([Subscription.of(exchange, stream) for stream in named])

    async def unsubscribe(self, unwanted: Iterable[Subscription | str]) -> None:
        """Stop collecting these, named as they were subscribed or by another name of the same symbol.

        Raises ConfigError for what is not subscribed; nothing of that
        exchange's part is then dropped.
        """
        for exchange, subscriptions in self._by_exchange(unwanted).items():
            self._end(exchange.unsubscribe(subscriptions))

    def retract(self, unwanted: Iterable[Subscription | str]) -> None:
        """Take back subscriptions as they were written; streams that others of them stand for too go on.

        What was not subscribed is passed over.
        """
        for exchange, subscriptions in self._by_exchange(unwanted).items():
            self._end(exchange.retract(subscriptions))

    def wishes(self, subscription: Subscription) -> bool:
        """Whether it is subscribed, as it is written."""
        exchange = self.exchanges.get(subscription.exchange)
        return exchange is not None and (subscription in exchange.wishes or subscription in exchange.unresolved)

    def has(self, named: Subscription | str) -> bool:
        """Whether `unsubscribe` would find it."""
        ((exchange, (subscription,)),) = self._by_exchange([named]).items()
        return exchange.has(subscription)

    def carried(self) -> int:
        """Return how many streams are carried."""
        return sum(len(exchange.wanted) for exchange in self.exchanges.values())

    def beside(self, work: Callable[[], Coroutine[Any, Any, None]], who: str) -> None:
        """Have `work` run once the sinks are open and connecting has begun, until the run stops, which cancels it."""
        self._beside.append((work, who))

    def add_subscriber(self, channel: str, callback: Callback) -> None:
        """Call `callback` (sync or async) with each event of `channel`: "trade", "candle", "candle_1m", "*" ...

        Raises ConfigError for a channel there is not, and for what cannot be
        called. What the callback raises is counted and logged, and harms
        nothing.
        """
        if not callable(callback):
            raise ConfigError(f"add_subscriber: {callback!r} cannot be called; give a function of one event")
        try:
            subscriber = CallbackSubscriber(channel, callback)
        except KeyError:
            raise ConfigError(
                f"add_subscriber: there is no channel {channel!r}; for example trade, candle_1m"
            ) from None
        self.add_notifier(subscriber)

    def add_notifier(self, subscriber: Notified) -> None:
        """Feed a plugin's Subscriber, or anything like it, from now on."""
        counters = SinkCounters()
        buffer = Buffer(_CALLBACK_BATCH, self._buffer_events, counters, keeps_gaps=Gap in subscriber.accepts)
        notifier = Notifier(subscriber, buffer, counters)
        self._bus.route(subscriber.accepts, buffer.put)
        self.notifiers.append(notifier)
        if self._crew is not None and not self._stopping.is_set():
            self._crew.read(self._read(notifier), f"subscriber {subscriber.name}")

    async def stream(self, channel: str) -> AsyncIterator[Message]:
        """Yield each event of `channel` as it comes, until the manager stops."""
        counters = SinkCounters()
        buffer = Buffer(_CALLBACK_BATCH, self._buffer_events, counters, keeps_gaps=False)
        try:
            kinds = accepts(channel)
        except KeyError:
            raise ConfigError(f"stream: there is no channel {channel!r}; for example trade, candle_1m") from None
        self._bus.route(kinds, buffer.put)
        closing = asyncio.ensure_future(self._stopped.wait())
        closing.add_done_callback(lambda _: buffer.close())
        try:
            while batch := await buffer.take():
                if counters.dropped:
                    say_seldom(logging.WARNING, "stream_behind", channel,
                               f"stream({channel!r}): its reader is too slow, {counters.dropped} events dropped so far",
                               channel=channel, dropped=counters.dropped)  # fmt: skip
                for event in batch:
                    if channel == "*" or channel in (event.channel, event.type):
                        yield event
        finally:
            self._bus.unroute(buffer.put)
            closing.cancel()

    async def start_all_listeners(self) -> None:
        """Connect, collect and store until `stop()`; then stop in order.

        Raises ConfigError for what the user must change (a sink's settings),
        before any connection is made, and for a second start: a manager runs
        once.
        """
        await self._collect(None, None)

    async def run(self, for_s: float | None = None, on_tick: Callable[[dict[str, Any]], None] | None = None) -> int:
        """Do `start_all_listeners` for a command line; return its exit code.

        Ends after `for_s`, at SIGINT or SIGTERM; a second signal stops at
        once. `on_tick` gets the stats, without the streams, about five times a second.
        """
        loop = asyncio.get_running_loop()
        handled = []
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError, RuntimeError):
                loop.add_signal_handler(number, self._signalled)
                handled.append(number)
        try:
            await self._collect(for_s, on_tick)
        finally:
            for number in handled:
                loop.remove_signal_handler(number)
        return 1 if self.account.failings() else 0

    async def stop(self) -> None:
        """End the run: sessions first, then what is buffered is stored, then the sinks are closed.

        Returns when that is done; at once when a subscriber calls it, or a
        task it started, since the end of the run waits for the subscribers.
        """
        self.begin_stop()
        if _reading.get() is not self:
            await self._stopped.wait()

    def begin_stop(self, at_once: bool = False) -> None:
        """Let the run end, in order, without waiting for it; `at_once`: what is not stored yet goes to the spool."""
        if at_once:
            self._hurry.set()
        self._stopping.set()
        if not self._begun:
            self._stopped.set()

    def get_stats(self, streams: bool = True) -> dict[str, Any]:
        """Return what has happened so far, as plain dicts with the keys documented in docs/stats.md.

        Those who ask often and want no list of the streams say so: of thousands it takes a while.
        """
        return {
            "version": VERSION,
            "instance": self._instance,
            "started_ns": self._began_ns,
            "uptime_s": time.monotonic() - self._started,
            "workers": [],
            **self.account.stats(streams),
            "capture": None if self._capture is None else self._capture.stats(),
            "alarms": [asdict(alarm) for alarm in self.alarms.standing],
        }

    def pulse(self) -> dict[str, Any]:
        """Return the part of the stats that alarms are raised by."""
        return {**self.account.pulse(), "capture": None if self._capture is None else self._capture.stats()}

    @property
    def account(self) -> Account:
        """The account of the run, at any time."""
        return Account(self.exchanges.values(), self.drains, self.notifiers)

    def _by_exchange(self, named: Iterable[Subscription | str]) -> dict[Exchange, list[Subscription]]:
        chosen: dict[Exchange, list[Subscription]] = {}
        for item in [named] if isinstance(named, str) else named:
            subscription = Subscription.parse(item) if isinstance(item, str) else item
            chosen.setdefault(self._exchange(subscription.exchange), []).append(subscription)
        return chosen

    def _exchange(self, name: str) -> Exchange:
        try:
            return self.exchanges[name]
        except KeyError:
            known = ", ".join(sorted(self.exchanges)) or "none"
            raise ConfigError(f"there is no exchange {name!r} among those loaded ({known})") from None

    def _end(self, lines: Iterable[Line]) -> None:
        if self._crew is not None:
            for line in lines:
                self._crew.end_line(line)

    def _signalled(self) -> None:
        self.begin_stop(at_once=self._stopping.is_set())

    async def _collect(self, for_s: float | None, on_tick: Callable[[dict[str, Any]], None] | None) -> None:
        if self._begun:
            raise ConfigError("this manager has been started before; build another one for another run")
        self._started, self._began_ns = time.monotonic(), time.time_ns()
        self._begun = True
        if self._stopping.is_set():
            return
        opened: list[Drain] = []
        crew: Crew | None = None
        try:
            await self._open_sinks(opened)
            # From here on a drain opens its sink itself where that did not come about yet.
            opened = self.drains
            async with asyncio.TaskGroup() as group:
                self._crew = crew = Crew(group)
                for drain in self.drains:
                    crew.read(self._read(drain), f"sink {drain.sink.name}")
                for notifier in self.notifiers:
                    crew.read(self._read(notifier), f"subscriber {notifier.subscriber.name}")
                for exchange in self.exchanges.values():
                    self._carry(exchange)
                for work, who in self._beside:
                    crew.aside(work(), who)
                if self.observer is not None:
                    self.observer.start()
                try:
                    await self._wait(for_s, on_tick)
                finally:
                    # Also when cancelled, as Ctrl-C does it to asyncio.run: what is buffered is stored first.
                    await self._finish(crew)
        finally:
            self._crew = None
            tell_folded(at_once=True)
            if self.observer is not None:
                self.observer.stop()
            try:
                await asyncio.gather(*[drain.close() for drain in opened])
                self._quarantine.close()
                if self._capture is not None:
                    self._capture.close()
            finally:
                self._stopped.set()
        if crew is not None and crew.failure is not None:
            raise crew.failure

    async def _open_sinks(self, opened: list[Drain]) -> None:
        """Try each sink once; a stop does not wait for one that hangs. Raises ConfigError and PluginError."""

        async def open_all() -> None:
            for drain in self.drains:
                opened.append(drain)
                await drain.try_open()

        opening, stopping = asyncio.ensure_future(open_all()), asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            cut_short = opening.cancel()
            stopping.cancel()
            await asyncio.gather(opening, stopping, return_exceptions=True)
        if not cut_short:
            opening.result()

    def _carry(self, exchange: Exchange) -> None:
        """Run what is not running yet of an exchange; nothing before the start, nor once the run is stopping."""
        if self._crew is not None and not self._stopping.is_set():
            self._crew.carry(exchange)

    def _resume(self, sink: Sink, points: Mapping[StreamKey, int]) -> None:
        for exchange in self.exchanges.values():
            exchange.resume(points)
        if isinstance(sink, Store) and self._crew is not None and not self._stopping.is_set():
            self._crew.aside(self._reopen(sink.name, sink, points), f"sink {sink.name}")

    async def _reopen(self, name: str, store: Store, points: Mapping[StreamKey, int]) -> None:
        """Have what earlier runs missed asked for once more; a store that cannot be read costs no more than that."""
        try:
            more = await candle_points(store, points, self._began_ns)
            gaps = await unhealed(store, self._began_ns)
        except Exception as error:
            say(logging.WARNING, "unhealed_unread",
                f"{name}: cannot read what earlier runs missed, so it is not fetched: {error}", sink=name)  # fmt: skip
            return
        if gaps:
            say(logging.INFO, "unhealed", f"{name}: {sum(gap.count or 0 for gap in gaps)} events that earlier runs "
                "missed are asked for again", sink=name)  # fmt: skip
        for exchange in self.exchanges.values():
            exchange.resume(more)
            exchange.reopen(gaps)

    async def _read(self, reader: Drain | Notifier) -> None:
        _reading.set(self)
        await reader.run()

    async def _wait(self, for_s: float | None, on_tick: Callable[[dict[str, Any]], None] | None) -> None:
        """Return when stopped, or after `for_s`."""
        deadline = None if for_s is None else self._started + for_s
        while not self._stopping.is_set():
            left = _TICK_S if deadline is None else min(_TICK_S, deadline - time.monotonic())
            if left <= 0:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left if on_tick is not None or deadline is not None else None):
                    await self._stopping.wait()
            if on_tick is not None:
                on_tick(self.get_stats(streams=False))

    async def _finish(self, crew: Crew) -> None:
        """Sessions end, then buffers drain within the deadline; what is left goes to the spool or is counted."""
        self._stopping.set()
        await crew.end_lines()
        for buffer in (*[drain.buffer for drain in self.drains], *[each.buffer for each in self.notifiers]):
            buffer.close()
        await crew.end_readers(self._stop_timeout_s, self._hurry)
        await asyncio.gather(*[drain.give_up() for drain in self.drains])
