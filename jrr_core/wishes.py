"""What was asked of one exchange, as it was written, and what that stands for by the exchange's list.

A wish is a symbol, a pattern or the exchange's own stream name. Lists change:
`changes` says what a newer one adds and ends. Pure: knows neither connections
nor where lists come from; times are handed in.
"""

from collections.abc import Iterable, Iterator

from attrs import define

from .instrument import Instruments
from .subscription import Subscription


@define(frozen=True)
class Changes:
    """What a list changes: streams that are new, that are over, and that look over until the next list says so too."""

    fresh: tuple[Subscription, ...]
    over: tuple[Subscription, ...]
    doubtful: tuple[Subscription, ...]


@define
class _Standing:
    """What a wish named when it was made, and which streams of it the latest list has."""

    named: frozenset[Subscription]
    streams: set[Subscription]


class Wishes:
    """The wishes of one exchange; iterating gives them in the order they were made."""

    def __init__(self) -> None:
        """Start without any."""
        self._made: dict[Subscription, _Standing] = {}
        self._doubted: set[Subscription] = set()

    def __iter__(self) -> Iterator[Subscription]:
        """Iterate over the wishes as written."""
        return iter(self._made)

    def __contains__(self, wish: object) -> bool:
        """Whether it was made, as written."""
        return wish in self._made

    def streams_of(self, wish: Subscription) -> set[Subscription]:
        """Return what a wish stands for by the latest list, whether or not it is carried."""
        return self._made[wish].streams if wish in self._made else set()

    def add(self, wish: Subscription, streams: Iterable[Subscription]) -> None:
        """Note a wish and what it stands for."""
        self._made[wish] = _Standing(frozenset(streams), set(streams))

    def drop(self, wishes: Iterable[Subscription], streams: Iterable[Subscription]) -> None:
        """Forget wishes, and those that name nothing but `streams`; a pattern goes on without them."""
        gone = set(streams)
        named = [wish for wish, made in self._made.items() if made.named <= gone and not wish.is_pattern]
        for wish in (*wishes, *named):
            self._made.pop(wish, None)

    def retract(self, wishes: Iterable[Subscription]) -> list[Subscription]:
        """Forget wishes; return what only they stood for."""
        made = [self._made.pop(wish) for wish in wishes if wish in self._made]
        kept = self._streams()
        return [stream for stream in dict.fromkeys(s for each in made for s in each.streams) if stream not in kept]

    def changes(self, listed: Instruments, now_ns: int) -> Changes:
        """Take a newer list; return what it changes, sorted.

        A stream whose symbol is not there any more is over when two lists in
        a row say so, since one may be incomplete; one that has expired is at
        once. What is over and comes back is new.
        """
        before = self._streams()
        after = {wish: _found(wish, made, listed, now_ns) for wish, made in self._made.items()}
        now = set[Subscription]().union(*after.values())
        missing = before - now
        over = {s for s in missing if s in self._doubted or _expired(listed, s, now_ns)}
        self._doubted = missing - over
        for wish, made in self._made.items():
            made.streams = (made.streams & self._doubted) | after[wish]
        return Changes(*[tuple(sorted(found, key=str)) for found in (now - before, over, self._doubted)])

    def _streams(self) -> set[Subscription]:
        return set[Subscription]().union(*[made.streams for made in self._made.values()])


def _found(wish: Subscription, made: _Standing, listed: Instruments, now_ns: int) -> set[Subscription]:
    """Return what the list has of a wish."""
    if wish.is_pattern:
        streams = {Subscription(wish.exchange, wish.channel, symbol) for symbol in listed.matching(wish.symbol)}
    else:
        streams = {s for s in made.named if s.symbol in listed.by_symbol or s.symbol in ("", "*")}
    return {s for s in streams if not _expired(listed, s, now_ns)}


def _expired(listed: Instruments, stream: Subscription, now_ns: int) -> bool:
    item = listed.by_symbol.get(stream.symbol)
    return item is not None and item.expiry is not None and item.expiry <= now_ns
