"""One exchange at work: its instruments, what is wanted of it, and the lines that carry it."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

from attrs import evolve

from .backoff import Backoff
from .carriage import Carriage
from .clock import clock_offset_s
from .connector import Connector
from .errors import ConfigError, JrrError, ParseError
from .events import Gap
from .fetch import Fetch, FetchFailed
from .instrument import Instruments
from .interview import list_instruments
from .journal import say, say_seldom
from .line import Line
from .parser import Parser
from .session import Surroundings
from .shard import Shard
from .sink import StreamKey
from .subscription import Subscription
from .tape import LISTING
from .wishes import Wishes

# Patterns wait for the list of instruments: once it can be had again, they wait no longer than this.
_LIST_CAP_S = 10.0


class Exchange:
    """Holds one connector and keeps connected what was asked of it."""

    def __init__(
        self,
        connector: Connector,
        make_parser: Callable[[Sequence[Subscription]], Parser],
        around: Surroundings,
        fetch: Fetch,
        publish: Callable[[Sequence[Any]], None],
        shard: Shard = Shard(),  # noqa: B008 - frozen
    ) -> None:
        """`publish` takes the instruments found; `around` is what every session of the exchange is wired to.

        Of what is subscribed only the part in `shard` is carried.
        """
        self.name = connector.exchange
        self.connector = connector
        self.around = around
        self.instruments: Instruments | None = None
        self.wishes = Wishes()
        self.carriage = Carriage(connector, make_parser, around, shard, self._check_symbol)
        self.unresolved: list[Subscription] = []
        self.unchecked: list[Subscription] = []
        self._shard = shard
        self.clock_offset_s: float | None = None
        self._fetch = fetch
        self._publish = publish
        self._unreachable = ""

    @property
    def lines(self) -> Sequence[Line]:
        """The lines that carry what is wanted."""
        return self.carriage.lines

    @property
    def wanted(self) -> Mapping[str, Subscription]:
        """The streams that are carried, by name."""
        return self.carriage.wanted

    async def check(self, wanted: Iterable[Subscription]) -> None:
        """Raise ConfigError naming what `subscribe` would refuse; change nothing."""
        wanted = list(wanted)
        await self._try_list(wanted)
        streams, _ = self._resolve(wanted)
        self.carriage.check([s for found in streams.values() for s in found])

    async def measure_clock(self) -> float | None:
        """Compare this machine's clock with the exchange's; keep and return the offset in s, None where it tells none.

        Raises nothing: what cannot be measured now keeps its last value.
        """
        try:
            self.clock_offset_s = await clock_offset_s(self.connector, self._fetch)
        except (JrrError, OSError) as failure:
            say_seldom(logging.DEBUG, "clock_unmeasured", self.name, f"{self.name}: {failure}", exchange=self.name)
            return None
        return self.clock_offset_s

    @property
    def spent(self) -> dict[str, dict[str, float]]:
        """What is used of the exchange's REST budgets, by pool."""
        return self._fetch.spent()

    async def subscribe(self, wanted: Iterable[Subscription]) -> Sequence[Line]:
        """Resolve and plan `wanted`; return the new lines for the caller to run.

        Streams join the connections there are where limits and parsers allow.
        Symbols are checked against the exchange's list where it can be had.
        Where it cannot, symbols are taken as written and noted in `unchecked`,
        patterns wait in `unresolved`, both for `resolve_later`. Raises
        ConfigError naming what the exchange does not have.
        """
        wanted = list(wanted)
        await self._try_list(wanted)
        before = set(self.wanted)
        lines = self._take(wanted)
        if self.instruments is None:
            self.unchecked += [s for name, s in self.wanted.items() if name not in before]
        return lines

    async def _try_list(self, wanted: Sequence[Subscription]) -> None:
        """Read the list of instruments unless it is there or nothing is wanted; say so where it cannot be had."""
        if self.instruments is not None or not wanted:
            return
        try:
            await self.load_instruments()
        except (FetchFailed, ParseError) as failure:
            self._unreachable = str(failure)
            say(logging.WARNING, "instruments_unreachable",
                f"{self.name}: {failure}; symbols are taken as written until its instruments can be read",
                exchange=self.name, reason=str(failure))  # fmt: skip

    def _take(self, wanted: Sequence[Subscription]) -> Sequence[Line]:
        """Carry what can be resolved and let the rest wait; return the new lines. Changes nothing where it raises."""
        streams, waiting = self._resolve(wanted)
        lines = self.carriage.carry([s for found in streams.values() for s in found])
        for wish, found in streams.items():
            self.wishes.add(wish, [self.wanted.get(str(s), s) for s in found])
        self.unresolved += [s for s in waiting if s not in self.unresolved]
        return lines

    def resume(self, points: Mapping[StreamKey, int]) -> None:
        """Take where a store's streams ended before this run: what lies between is missing, and asked for."""
        self.around.desk.resume(points, time.time_ns())

    def reopen(self, gaps: Iterable[Gap]) -> None:
        """Take what earlier runs missed and a store still lacks, after `resume`."""
        self.around.desk.reopen(gaps, time.time_ns())

    async def resolve_later(self, run: Callable[[Line], None], end: Callable[[Line], None]) -> None:
        """Keep asking for the instruments, then check what was taken as written and start what had to wait.

        `run` and `end` are given the lines to start and those that carry
        nothing any more.
        """
        backoff = Backoff(base_s=2.0, cap_s=_LIST_CAP_S)
        while self.instruments is None:
            await asyncio.sleep(backoff.next_s())
            try:
                await self.load_instruments()
            except (FetchFailed, ParseError) as failure:
                if self._unreachable != str(failure):
                    self._unreachable = str(failure)
                    say(logging.WARNING, "instruments_unreachable", f"{self.name}: {failure}; trying again",
                        exchange=self.name, reason=str(failure))  # fmt: skip
        wrong = [s for s in self.carriage.known(self.unchecked) if not self._listed(s)]
        waiting, self.unresolved, self.unchecked = [*self.unresolved, *wrong], [], []
        for line in self.unsubscribe(wrong):
            end(line)
        for subscription in waiting:
            try:
                for line in self._take([subscription]):
                    run(line)
            except JrrError as error:
                self.around.desk.counters.refused += 1
                say(logging.ERROR, "subscription_refused", str(error), exchange=self.name, stream=str(subscription))

    def _listed(self, subscription: Subscription) -> bool:
        """Whether the exchange lists the symbol as it was written; an exchange without a list has every one."""
        known, symbol = self.instruments, subscription.symbol
        return known is None or not len(known) or symbol in ("*", "") or symbol in known.by_symbol

    async def load_instruments(self) -> Instruments:
        """Read the exchange's list once and publish it unless it is the same; raises FetchFailed and ParseError.

        A list that has become empty is none.
        """
        tape = self.around.desk.tape
        listed = await list_instruments(
            self.connector, self._fetch, None if tape is None else partial(tape.frame, LISTING)
        )
        if not listed and self.instruments is not None and len(self.instruments):
            raise ParseError("the list of instruments is empty, and was not before")
        before, self.instruments = self.instruments, Instruments(self.name, listed)
        if listed and (before is None or before.by_symbol != self.instruments.by_symbol):
            self._publish(listed)
        return self.instruments

    def unsubscribe(self, unwanted: Iterable[Subscription]) -> Sequence[Line]:
        """Drop streams; return the lines that carry nothing any more, for the caller to end.

        Streams are named as they were subscribed, or by any other name of
        their symbol; a pattern drops all that fits. Raises ConfigError for
        one that is not subscribed, and drops nothing then.
        """
        gone, named = [], []
        for subscription in unwanted:
            if not self.has(subscription):
                raise self._not_subscribed(subscription)
            gone += self._carried(subscription)
            named.append(subscription)
        self.unresolved = [s for s in self.unresolved if s not in named]
        self.wishes.drop(named, gone)
        return self.carriage.drop(gone)

    def has(self, subscription: Subscription) -> bool:
        """Whether `unsubscribe` would find it."""
        known = subscription in self.unresolved or subscription in self.wishes
        return known or bool(self._carried(subscription))

    def retract(self, wishes: Sequence[Subscription]) -> Sequence[Line]:
        """Take back wishes as they were written; drop, as `unsubscribe` does, what no other wish stands for."""
        self.unresolved = [s for s in self.unresolved if s not in wishes]
        return self.carriage.drop(self.wishes.retract(wishes))

    def carried_of(self, wish: Subscription) -> Sequence[Subscription]:
        """Return which of the streams of a wish are carried."""
        return self.carriage.known(self.wishes.streams_of(wish))

    def _carried(self, subscription: Subscription) -> list[Subscription]:
        """Return what is planned of a subscription, by the name it has or those its symbol stands for."""
        names = [str(subscription)]
        listed = self.instruments
        if names[0] not in self.wanted and subscription.native is None and listed is not None and len(listed):
            symbols = listed.resolve(subscription.symbol)
            names = [str(evolve(subscription, symbol=symbol)) for symbol in symbols]
        return [self.wanted[name] for name in names if name in self.wanted]

    def _not_subscribed(self, subscription: Subscription) -> ConfigError:
        near = get_close_matches(str(subscription), self.wanted, n=3)
        return ConfigError(f"{subscription} is not subscribed" + (f"; did you mean {', '.join(near)}?" if near else ""))

    def _resolve(
        self, wanted: Iterable[Subscription]
    ) -> tuple[dict[Subscription, Sequence[Subscription]], Sequence[Subscription]]:
        """Return each of `wanted` with its streams, symbols native and patterns expanded, and those that must wait."""
        found: dict[Subscription, Sequence[Subscription]] = {}
        waiting: list[Subscription] = []
        for subscription in wanted:
            if subscription.native is not None or (self.instruments is not None and not len(self.instruments)):
                self._refuse_pattern(subscription)
                found[subscription] = (subscription,)
            elif self.instruments is not None:
                symbols = self.instruments.resolve(subscription.symbol)
                found[subscription] = [Subscription(self.name, subscription.channel, symbol) for symbol in symbols]
            elif subscription.is_pattern or self._shard.count > 1:
                # Which part a symbol is in, its native name alone tells.
                waiting.append(subscription)
            else:
                found[subscription] = (subscription,)
        return found, waiting

    def _refuse_pattern(self, subscription: Subscription) -> None:
        if subscription.is_pattern:
            raise ConfigError(f"{subscription}: {self.name} lists no instruments, so write out each symbol")

    def _check_symbol(self, symbol: str) -> None:
        """Raise ConfigError for a symbol that a native stream names and the exchange does not list."""
        if self.instruments is not None and len(self.instruments):
            self.instruments.resolve(symbol)
