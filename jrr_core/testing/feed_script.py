"""A script whose channels are feeds: what exchanges that push topics have in common.

A subclass says what it trades, accepts connections and makes feeds; here they are
ticked, flushed, forgotten and healed.
"""

from collections import deque
from collections.abc import Hashable, Mapping, MutableMapping
from typing import Generic, Protocol, TypeVar

from ..errors import ConfigError
from .feed import Feed, Listener
from .market import Happening
from .script import Peer, Reply, fault_number


class FeedPeer(Peer, Listener, Protocol):
    """A connection that listens to feeds."""

    def tick(self, now_ns: int) -> None:
        """Do what time asks for: late answers, heartbeats, deadlines."""

    def heal(self) -> None:
        """Forget the faults this connection has."""


class Traded(Protocol):
    """One symbol at work; it shows a step of the market to its feeds."""

    feeds: list[Feed]

    def happen(self, happening: Happening) -> None:
        """Take a step of the market."""


T = TypeVar("T", bound=Traded)


class Asked(Protocol):
    """The REST side."""

    def get(self, path: str, query: Mapping[str, str], now_ns: int) -> Reply:
        """Answer a GET."""

    def strike_again(self) -> None:
        """Let the faults meet the next requests as they met the first."""

    def heal(self) -> None:
        """Answer properly from now on."""


class Strikes:
    """A fault of the first so many requests, and again of the first ones after each connection that ends.

    So it meets what a client fetches to mend a loss, and not only what it fetches at its start.
    """

    def __init__(self, count: int) -> None:
        """Strike so many."""
        self._count = self._left = count

    def hits(self) -> bool:
        """Whether this request is struck."""
        hit = self._left > 0
        self._left -= hit
        return hit

    def again(self) -> None:
        """Begin anew."""
        self._left = self._count

    def end(self) -> None:
        """Strike no more."""
        self._count = self._left = 0


def fault_rates(faults: Mapping[str, str], *chances: str) -> dict[str, float]:
    """Return the faults that are on as numbers; raises ConfigError for one that is none, or no chance (`chances`)."""
    rates = {name: number for name in faults if (number := fault_number(faults, name)) is not None}
    for name in chances:
        if rates.get(name, 0.0) > 1:
            raise ConfigError(f"fault {name}={faults[name]} needs a chance between 0 and 1")
    return rates


class Door:
    """Lets in at most `count` connections in any `per_ns`."""

    def __init__(self, count: int, per_ns: int) -> None:
        """Nobody has come yet."""
        self._per_ns = per_ns
        self._came: deque[int] = deque(maxlen=count)

    def opens(self, now_ns: int) -> bool:
        """Whether one more may come in, and then it has."""
        if len(self._came) == self._came.maxlen and now_ns - self._came[0] < self._per_ns:
            return False
        self._came.append(now_ns)
        return True


class FeedScript(Generic[T]):
    """Feeds by whatever names them, connections, faults; `rates` are the faults that are on."""

    def __init__(self, rates: MutableMapping[str, float], tradings: Mapping[str, T], rest: Asked) -> None:
        """Take what is traded, by symbol."""
        self._rates = rates
        self._tradings = tradings
        self._rest = rest
        self._feeds: dict[Hashable, Feed] = {}
        self._peers: dict[Peer, FeedPeer] = {}
        self._resting = False

    def admit(self, peer: FeedPeer) -> Peer:
        """Look after a connection from now on."""
        self._peers[peer] = peer
        return peer

    def known(self, name: Hashable) -> Feed | None:
        """Return the feed of that name; None where there is none yet."""
        return self._feeds.get(name)

    def open(self, name: Hashable, feed: Feed) -> Feed:
        """Begin a feed and return it: from now on it sees what happens to its symbol."""
        self._feeds[name] = feed
        self._tradings[feed.symbol].feeds.append(feed)
        return feed

    def heal(self, now_ns: int) -> None:
        """End the faults."""
        self._rates.clear()
        for peer in self._peers.values():
            peer.heal()
        self._rest.heal()

    def disconnect(self, peer: Peer, now_ns: int) -> None:
        """Forget a connection and what it listened to."""
        listener = self._peers.pop(peer, None)
        if listener is not None:
            for feed in self._feeds.values():
                feed.leave(listener)
        self._rest.strike_again()

    def get(self, path: str, query: Mapping[str, str], now_ns: int) -> Reply:
        """Answer REST."""
        return self._rest.get(path, query, now_ns)

    def happen(self, happening: Happening) -> None:
        """Show a step of the market to the feeds of its symbol."""
        self._tradings[happening.symbol].happen(happening)

    def tick(self, now_ns: int) -> None:
        """Send what is due and look after the connections."""
        if not self._resting:
            self.send(now_ns, False)
        for peer in self._peers.values():
            peer.tick(now_ns)

    def finish(self, now_ns: int) -> None:
        """Flush every feed and let them rest; connections are kept."""
        self.send(now_ns, True)
        self._resting = True

    def send(self, now_ns: int, at_once: bool) -> None:
        """Send what is due; with `at_once` whatever is pending."""
        for feed in self._feeds.values():
            feed.tick(now_ns, at_once)
