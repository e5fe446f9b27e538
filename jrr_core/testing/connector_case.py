"""What every check of a connector needs: the class, what an author wants of it, and its plans."""

from collections.abc import Sequence
from typing import Any, ClassVar

from ..connector import Connector, SessionPlan
from ..subscription import Subscription

_MANY = 1_000


class ConnectorCase:
    """One connector class."""

    connector: ClassVar[type[Connector]]
    # Different streams the exchange serves, symbols native: one of each channel at least, and native stream names.
    wanted: ClassVar[Sequence[str]]

    def many(self, count: int) -> Sequence[str]:
        """Return `count` subscriptions, more than one connection should carry; symbols may be made up."""
        raise NotImplementedError("ConnectorSuite: define many(self, count) in your test class")

    def make_connector(self, **changes: Any) -> Connector:
        """Return a connector with default settings but for `changes`."""
        return self.connector(self.connector.Settings(**changes))

    def stream_text(self, subscription: Subscription) -> str:
        """Return what stands for the stream in a subscribe message or URL; upper and lower case are alike."""
        return subscription.symbol

    def _wanted(self) -> list[Subscription]:
        return [Subscription.parse(text) for text in self.wanted]

    def _many(self) -> list[Subscription]:
        return [Subscription.parse(text) for text in self.many(_MANY)]

    def _plans(self) -> Sequence[SessionPlan]:
        return self.make_connector().sessions(self._wanted())
