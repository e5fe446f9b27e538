"""Routes from the class of an event to those who want it."""

from typing import Any

from jrr_core.bus import Bus
from jrr_core.events import Gap, Trade
from tests.toy import trade

GAP = Gap("toy", "X", None, 1, "trade", "s")


def test_each_route_gets_the_classes_it_accepts_in_order() -> None:
    bus, trades, both = Bus(), list[Any](), list[Any]()
    bus.route([Trade], trades.append)
    bus.route([Trade, Gap], both.append)
    one, two = trade(1), trade(2)
    bus.publish([one, GAP, two])
    assert trades == [one, two]
    assert both == [one, GAP, two]


def test_what_nobody_wants_goes_nowhere() -> None:
    Bus().publish([trade(1)])


def test_an_unrouted_reader_gets_nothing_more_and_the_others_go_on() -> None:
    bus, first, second = Bus(), list[Any](), list[Any]()
    put_first, put_second = first.append, second.append
    bus.route([Trade], put_first)
    bus.route([Trade], put_second)
    bus.unroute(put_first)
    bus.publish([trade(1)])
    assert (len(first), len(second)) == (0, 1)


def test_a_reader_may_leave_while_events_are_handed_out() -> None:
    bus, found = Bus(), list[Any]()

    def once(event: Any) -> None:
        found.append(event)
        bus.unroute(once)

    bus.route([Trade], once)
    bus.publish([trade(1), trade(2)])
    assert len(found) == 1
