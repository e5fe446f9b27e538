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
from .connector import Connector, SessionPlan
from .errors import ConfigError, JrrError, ParseError
from .events import Gap
from .fetch import Fetch, FetchFailed
from .instrument import Instruments
from .interview import asked, list_instruments
from .journal import say
from .line import Line
from .pace import Spacing
from .parser import Parser
from .session import Surroundings
from .sink import StreamKey
from .subscription import Subscription
from .tape import LISTING

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
    ) -> None:
        """`publish` takes the instruments found; `around` is what every session of the exchange is wired to."""
        self.name = connector.exchange
        self.connector = connector
        self.around = around
        self.instruments: Instruments | None = None
        self.wanted: dict[str, Subscription] = {}
        self.unresolved: list[Subscription] = []
        self.unchecked: list[Subscription] = []
        self.lines: list[Line] = []
        self._fetch = fetch
        self._publish = publish
        self._make_parser = make_parser
        self._attempts = Spacing(connector.limits.connects)
        self._plans = 0
        self._unreachable = ""

    async def subscribe(self, wanted: Iterable[Subscription]) -> Sequence[Line]:
        """Resolve and plan `wanted`; return the new lines for the caller to run.

        Symbols are checked against the exchange's list where it can be had.
        Where it cannot, symbols are taken as written and noted in `unchecked`,
        patterns wait in `unresolved`, both for `resolve_later`. Raises
        ConfigError naming what the exchange does not have.
        """
        wanted = list(wanted)
        if self.instruments is None and wanted:
            try:
                await self.load_instruments()
            except (FetchFailed, ParseError) as failure:
                self._unreachable = str(failure)
                say(logging.WARNING, "instruments_unreachable",
                    f"{self.name}: {failure}; symbols are taken as written until its instruments can be read",
                    exchange=self.name, reason=str(failure))  # fmt: skip
        waiting = list(self.unresolved)
        try:
            lines = self._plan(self._resolve(wanted))
        except JrrError:
            self.unresolved = waiting
            raise
        if self.instruments is None:
            self.unchecked += dict.fromkeys([s for line in lines for s in line.plan.subscriptions])
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
        wrong = [s for s in self.unchecked if self._known(s) is not None and not self._listed(s)]
        waiting, self.unresolved, self.unchecked = [*self.unresolved, *wrong], [], []
        for line in self.unsubscribe(wrong):
            end(line)
        for subscription in waiting:
            try:
                for line in self._plan(self._resolve([subscription])):
                    run(line)
            except JrrError as error:
                self.around.desk.counters.refused += 1
                say(logging.ERROR, "subscription_refused", str(error), exchange=self.name, stream=str(subscription))

    def _listed(self, subscription: Subscription) -> bool:
        """Whether the exchange lists the symbol as it was written; an exchange without a list has every one."""
        known, symbol = self.instruments, subscription.symbol
        return known is None or not len(known) or symbol in ("*", "") or symbol in known.by_symbol

    async def load_instruments(self) -> Instruments:
        """Read the exchange's list once; raises FetchFailed where it cannot be had, ParseError where it is none."""
        tape = self.around.desk.tape
        listed = await list_instruments(
            self.connector, self._fetch, None if tape is None else partial(tape.frame, LISTING)
        )
        self.instruments = Instruments(self.name, listed)
        if listed:
            self._publish(listed)
        return self.instruments

    def unsubscribe(self, unwanted: Iterable[Subscription]) -> Sequence[Line]:
        """Drop streams; return the lines that carry nothing any more, for the caller to end.

        Streams are named as they were subscribed, or by any other name of
        their symbol. Raises ConfigError for one that is not subscribed, and
        drops nothing then.
        """
        gone, waiting = [], []
        for subscription in unwanted:
            carried = self._carried(subscription)
            if not carried and subscription not in self.unresolved:
                raise self._not_subscribed(subscription)
            gone += carried
            waiting.append(subscription)
        self.unresolved = [s for s in self.unresolved if s not in waiting]
        for line in self.lines:
            if any(s in gone for s in line.plan.subscriptions):
                line.unsubscribe(gone)
        for subscription in gone:
            self.wanted.pop(str(subscription), None)
        empty = [line for line in self.lines if not line.plan.subscriptions]
        self.lines = [line for line in self.lines if line.plan.subscriptions]
        return empty

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

    def _known(self, subscription: Subscription) -> Subscription | None:
        """Return the subscription as planned; a native one is known by the name the user wrote."""
        return self.wanted.get(str(subscription))

    def _resolve(self, wanted: Iterable[Subscription]) -> list[Subscription]:
        """Return the subscriptions with native symbols, patterns expanded."""
        found: list[Subscription] = []
        for subscription in wanted:
            if subscription.native is not None or (self.instruments is not None and not len(self.instruments)):
                self._refuse_pattern(subscription)
                found.append(subscription)
            elif self.instruments is not None:
                symbols = self.instruments.resolve(subscription.symbol)
                found += [Subscription(self.name, subscription.channel, symbol) for symbol in symbols]
            elif "*" in subscription.symbol or "?" in subscription.symbol:
                self.unresolved.append(subscription)
            else:
                found.append(subscription)
        return found

    def _refuse_pattern(self, subscription: Subscription) -> None:
        if subscription.native is None and "*" in subscription.symbol:
            raise ConfigError(f"{subscription}: {self.name} lists no instruments, so write out each symbol")

    def _plan(self, resolved: Sequence[Subscription]) -> Sequence[Line]:
        """Turn new subscriptions into lines; those already carried are left alone."""
        fresh = [s for s in dict.fromkeys(resolved) if self._known(s) is None]
        plans = asked(self.name, self.connector.sessions, fresh) if fresh else ()
        self._check(plans)
        lines = []
        for plan in plans:
            for subscription in plan.subscriptions:
                self.wanted[str(subscription)] = subscription
            for _ in range(self.around.settings.redundancy):
                lines.append(Line(self._uniquely_named(plan), self._make_parser, self.around, self._attempts))
        self.lines += lines
        return lines

    def _uniquely_named(self, plan: SessionPlan) -> SessionPlan:
        """Number plans over the whole run: a later subscribe() makes plans named like the first ones."""
        self._plans += 1
        return evolve(plan, name=f"{self.name}-{self._plans}")

    def _check(self, plans: Sequence[SessionPlan]) -> None:
        for plan in plans:
            if not plan.url.startswith(("ws://", "wss://")):
                raise ConfigError(
                    f"exchanges.{self.name}.ws_url: {plan.url!r} is not a WebSocket address; "
                    "write ws://host:port or wss://host"
                )
            for subscription in plan.subscriptions:
                known = self.instruments
                if known is not None and len(known) and subscription.symbol not in ("*", ""):
                    known.resolve(subscription.symbol)
