"""The lines that carry the same streams, as many as `redundancy` asks for, and what further streams they can take.

Knows an exchange's limits only by the plans its connector makes.
"""

from collections import Counter
from collections.abc import Sequence

from attrs import define

from .connector import SessionPlan
from .line import Line
from .subscription import Subscription


@define(frozen=True, eq=False)
class Bundle:
    """One plan and the lines that keep it connected."""

    lines: Sequence[Line]

    @property
    def plan(self) -> SessionPlan:
        """What each of the lines carries."""
        return self.lines[0].plan

    @property
    def extending(self) -> bool:
        """Whether the lines can take on further streams."""
        return all(line.extending for line in self.lines)

    def room_for(self, plans: Sequence[SessionPlan]) -> Sequence[Subscription]:
        """Return what can join, going by `plans` that the connector made of what is carried followed by what is not.

        It is what the plan of the same address adds to all that is carried.
        A stream that needs several connections at once does not join.
        """
        carried = set(self.plan.subscriptions)
        parts = Counter(each for plan in plans for each in plan.subscriptions)
        for plan in plans:
            same_place = (plan.url, plan.headers) == (self.plan.url, self.plan.headers)
            if same_place and carried <= set(plan.subscriptions):
                return [each for each in plan.subscriptions if each not in carried and parts[each] == 1]
        return ()

    def subscribe(self, added: Sequence[Subscription]) -> bool:
        """Carry these too; False, with nothing changed, where the first line cannot, whose lead its twins follow."""
        first, *twins = self.lines
        if not first.subscribe(added):
            return False
        for twin in twins:
            twin.subscribe(added, renewing=True)
        return True

    def unsubscribe(self, unwanted: Sequence[Subscription]) -> None:
        """Drop streams."""
        for line in self.lines:
            line.unsubscribe(unwanted)
