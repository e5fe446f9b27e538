"""Which topics of a connection are wanted, where several subscriptions may share one.

For connectors: what to ask for when streams are added, and what to give up
when some are dropped. Knows nothing of how an exchange is asked.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from .subscription import Subscription

T = TypeVar("T", bound=Hashable)


def by_topic(
    wanted: Iterable[Subscription],
    topic_of: Callable[[Subscription], T],
    described: Callable[[Subscription, T], Subscription],
) -> dict[T, list[Subscription]]:
    """Return each topic with the subscriptions it carries, `described` as plans have them; each subscription once."""
    carried: dict[T, list[Subscription]] = {}
    for subscription in dict.fromkeys(wanted):
        topic = topic_of(subscription)
        carried.setdefault(topic, []).append(described(subscription, topic))
    return carried


def channels_of(carried: Iterable[Subscription] | None, native: Sequence[str]) -> Sequence[str]:
    """Return the channels wanted of a topic, each once; a native name asks for all of `native`, a replay (None) too."""
    if carried is None:
        return native
    names = [name for item in carried for name in (native if item.native is not None else (item.channel,))]
    return list(dict.fromkeys(names))


class WantedTopics(Generic[T]):
    """The topics of one session plan; `topic_of` names the one that carries a subscription."""

    def __init__(self, topic_of: Callable[[Subscription], T]) -> None:
        """Start with nothing wanted."""
        self._topic_of = topic_of
        self._wanting: dict[T, set[Subscription]] = {}

    def want(self, subscriptions: Iterable[Subscription]) -> list[T]:
        """Return the topics that carry these, each once: all are asked for, since the connection may be a new one."""
        topics: dict[T, None] = {}
        for subscription in subscriptions:
            topic = self._topic_of(subscription)
            topics[topic] = None
            self._wanting.setdefault(topic, set()).add(subscription)
        return list(topics)

    def leave(self, subscriptions: Iterable[Subscription]) -> list[T]:
        """Return the topics that these were the last to want."""
        ended: dict[T, None] = {}
        for subscription in subscriptions:
            topic = self._topic_of(subscription)
            wanting = self._wanting.get(topic, set())
            wanting.discard(subscription)
            if not wanting:
                self._wanting.pop(topic, None)
                ended[topic] = None
        return list(ended)
