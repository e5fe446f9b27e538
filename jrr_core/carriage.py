"""The streams of one exchange that are carried, and the bundles of lines that carry them, within its limits.

Takes streams by the exchange's own symbols; which these are, and what the user
meant by them, is not its affair.
"""

from collections.abc import Callable, Iterable, Sequence

from attrs import evolve

from .bundle import Bundle
from .connector import Connector, SessionPlan
from .errors import ConfigError
from .interview import asked
from .line import Line
from .pace import Spacing
from .parser import Parser
from .session import Surroundings
from .shard import Shard
from .subscription import Subscription


class Carriage:
    """What is carried: `wanted` by the name of each stream, as planned; a native one by the name the user wrote."""

    def __init__(
        self,
        connector: Connector,
        make_parser: Callable[[Sequence[Subscription]], Parser],
        around: Surroundings,
        shard: Shard,
        check_symbol: Callable[[str], None],
    ) -> None:
        """Carry only streams in `shard`; `check_symbol` raises ConfigError for a symbol the exchange has not."""
        self.wanted: dict[str, Subscription] = {}
        self._bundles: list[Bundle] = []
        self._connector = connector
        self._make_parser = make_parser
        self._around = around
        self._shard = shard
        self._check_symbol = check_symbol
        self._attempts = Spacing(connector.limits.connects.shared_by(around.sharers))
        self._plans = 0

    @property
    def lines(self) -> Sequence[Line]:
        """All lines."""
        return [line for bundle in self._bundles for line in bundle.lines]

    def known(self, streams: Iterable[Subscription]) -> list[Subscription]:
        """Return those of the streams that are carried, as planned."""
        return [self.wanted[str(stream)] for stream in streams if str(stream) in self.wanted]

    def check(self, streams: Iterable[Subscription]) -> None:
        """Raise the ConfigError that `carry` would; change nothing."""
        self._arranged(streams)

    def carry(self, streams: Iterable[Subscription]) -> Sequence[Line]:
        """Put streams on the connections with room for them, the rest on new lines; return these.

        Those already carried are left alone. Raises ConfigError, with nothing
        changed, for what the exchange or its connector does not have.
        """
        joining, rest = self._arranged(streams)
        for bundle, joined in joining:
            if bundle.subscribe(joined):
                self.wanted.update({str(stream): stream for stream in joined})
            else:
                rest = [*rest, *joined]
        return [line for plan in self._planned(rest) for line in self._open(plan)]

    def drop(self, streams: Iterable[Subscription]) -> Sequence[Line]:
        """Carry these no more, as far as they are carried; return the lines left with nothing, to be ended."""
        gone = self.known(streams)
        for bundle in self._bundles:
            if any(stream in gone for stream in bundle.plan.subscriptions):
                bundle.unsubscribe(gone)
        for stream in gone:
            self.wanted.pop(str(stream), None)
        empty = [line for line in self.lines if not line.plan.subscriptions]
        self._bundles = [bundle for bundle in self._bundles if bundle.plan.subscriptions]
        return empty

    def _arranged(
        self, streams: Iterable[Subscription]
    ) -> tuple[Sequence[tuple[Bundle, Sequence[Subscription]]], Sequence[Subscription]]:
        """Return which of the new streams may join which bundle, and the rest; raises ConfigError."""
        rest: Sequence[Subscription] = self._new(streams)
        for plan in self._planned(rest):
            self._check(plan)
        joining = []
        # Planning costs some 5 ms for 400 streams: the emptiest, which most likely has room, comes first.
        for bundle in sorted(self._bundles, key=lambda each: len(each.plan.subscriptions)):
            if rest and bundle.extending:
                joined = bundle.room_for(self._planned([*bundle.plan.subscriptions, *rest]))
                if joined:
                    names = {str(stream) for stream in joined}
                    rest = [stream for stream in rest if str(stream) not in names]
                    joining.append((bundle, joined))
        return joining, rest

    def _new(self, streams: Iterable[Subscription]) -> Sequence[Subscription]:
        """Return those of this shard that are not carried yet."""
        fresh = [stream for stream in dict.fromkeys(streams) if str(stream) not in self.wanted]
        if self._shard.count == 1:
            return fresh
        # The symbol behind the exchange's own stream name is the connector's to tell.
        described = dict.fromkeys(stream for plan in self._planned(fresh) for stream in plan.subscriptions)
        return [stream for stream in described if self._shard.has(stream)]

    def _planned(self, streams: Sequence[Subscription]) -> Sequence[SessionPlan]:
        return asked(self._connector.exchange, self._connector.sessions, streams) if streams else ()

    def _check(self, plan: SessionPlan) -> None:
        if not plan.url.startswith(("ws://", "wss://")):
            raise ConfigError(
                f"exchanges.{plan.exchange}.ws_url: {plan.url!r} is not a WebSocket address; "
                "write ws://host:port or wss://host"
            )
        for stream in plan.subscriptions:
            if stream.symbol not in ("*", ""):
                self._check_symbol(stream.symbol)

    def _open(self, plan: SessionPlan) -> Sequence[Line]:
        """Make the lines of a new plan."""
        self.wanted.update({str(stream): stream for stream in plan.subscriptions})
        twins = []
        for _ in range(self._around.settings.redundancy):
            # Numbered over the whole run: a later plan is named like the first ones.
            self._plans += 1
            named = evolve(plan, name=f"{plan.exchange}-{self._plans}")
            twins.append(Line(named, self._make_parser, self._around, self._attempts))
        self._bundles.append(Bundle(twins))
        return twins
