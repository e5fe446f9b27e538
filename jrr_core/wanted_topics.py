"""Which topics of a connection are wanted, where several subscriptions may share one.

For connectors: what to ask for when streams are added, and what to give up
when some are dropped. Knows nothing of how an exchange is asked.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from .subscription import Subscription

T = TypeVar("T", bound=Hashable)


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
