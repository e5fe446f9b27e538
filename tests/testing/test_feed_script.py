"""Scripts made of feeds: feeds are ticked and shared, connections looked after and forgotten, faults end."""

from collections.abc import Mapping
from decimal import Decimal

import pytest
from attrs import Factory, define

from jrr_core.errors import ConfigError
from jrr_core.testing.feed import Feed
from jrr_core.testing.feed_script import Door, FeedScript, Strikes, fault_rates
from jrr_core.testing.market import Happening, Listing, Market
from jrr_core.testing.script import Close, Ping, Reply
from jrr_core.testing.truth import Truth

LISTING = Listing("X", Decimal(100), Decimal("0.1"), Decimal("0.01"))


class Steps(Feed):
    """Tells how many steps there were since the last tick, and the rest when it is flushed."""

    seen = 0

    def happen(self, happening: Happening) -> None:
        self.seen += 1

    def tick(self, now_ns: int, at_once: bool) -> None:
        self.publish(f"{self.seen}{'.' if at_once else ''}", (), now_ns)
        self.seen = 0


@define(eq=False)
class Trading:
    feeds: list[Feed] = Factory(list)

    def happen(self, happening: Happening) -> None:
        for feed in self.feeds:
            feed.happen(happening)


@define(eq=False)
class Ear:
    """A connection that keeps what it hears and how often it was ticked."""

    outbox: list[str | bytes | Close | Ping] = Factory(list)
    ticks: int = 0
    healed: bool = False

    def push(self, text: str) -> None:
        self.outbox.append(text)

    def receive(self, text: str, now_ns: int) -> None:
        """Nothing is asked here."""

    def pong(self, payload: bytes, now_ns: int) -> None:
        """Nothing is pinged here."""

    def tick(self, now_ns: int) -> None:
        self.ticks += 1

    def heal(self) -> None:
        self.healed = True


@define
class Rest:
    strikes: Strikes = Factory(lambda: Strikes(1))

    def get(self, path: str, query: Mapping[str, str], now_ns: int) -> Reply:
        return Reply(429 if self.strikes.hits() else 200)

    def strike_again(self) -> None:
        self.strikes.again()

    def heal(self) -> None:
        self.strikes.end()


class World:
    """A script with one symbol and one feed."""

    def __init__(self) -> None:
        self.market = Market([LISTING], 1)
        self.trading, self.rates = Trading(), {"gap": 0.5}
        self.script = FeedScript(self.rates, {"X": self.trading}, Rest())

    def feed(self) -> Feed:
        return self.script.known("steps") or self.script.open("steps", Steps("X", self.market, Truth()))


def test_a_feed_is_made_once_and_sees_the_steps_of_its_symbol_until_the_market_rests() -> None:
    world, ear = World(), Ear()
    assert world.feed() is world.feed()
    assert world.trading.feeds == [world.feed()]
    world.script.admit(ear)
    world.feed().join(ear, 0)
    for _ in range(3):
        world.script.happen(world.market.step(1))
    world.script.tick(1)
    world.script.happen(world.market.step(2))
    world.script.finish(2)
    world.script.tick(3)
    assert ear.outbox == ["3", "1."]
    assert ear.ticks == 2


def test_a_connection_that_is_gone_hears_nothing_and_the_faults_of_rest_strike_again() -> None:
    world, ear = World(), Ear()
    world.script.admit(ear)
    world.feed().join(ear, 0)
    assert [world.script.get("/", {}, 0).status for _ in range(2)] == [429, 200]
    world.script.disconnect(ear, 1)
    world.script.disconnect(ear, 1)
    world.script.tick(2)
    assert (ear.outbox, ear.ticks) == ([], 0)
    assert [world.script.get("/", {}, 0).status for _ in range(2)] == [429, 200]


def test_healing_ends_all_faults() -> None:
    world, ear = World(), Ear()
    world.script.admit(ear)
    world.script.heal(1)
    assert world.rates == {}
    assert ear.healed
    world.script.disconnect(ear, 2)
    assert world.script.get("/", {}, 0).status == 200


def test_faults_are_numbers_and_chances_at_most_one() -> None:
    assert fault_rates({"gap": "0.5", "late": "7"}, "gap") == {"gap": 0.5, "late": 7.0}
    for faults in ({"gap": "1.5"}, {"gap": "x"}):
        with pytest.raises(ConfigError, match="gap"):
            fault_rates(faults, "gap")


def test_a_door_lets_in_so_many_in_a_while() -> None:
    door = Door(2, 10)
    assert [door.opens(now) for now in (0, 1, 9, 10, 10, 11)] == [True, True, False, True, False, True]
