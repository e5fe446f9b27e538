"""One plan kept connected: reconnecting, renewing with the successor first, pacing its attempts."""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import define, evolve, field
from websockets.asyncio.server import ServerConnection

from jrr_core import line as line_module
from jrr_core.connector import Rate
from jrr_core.counters import ExchangeCounters
from jrr_core.errors import ConfigError, PluginError
from jrr_core.events import Connected, Disconnected, Message, Trade
from jrr_core.line import Line
from jrr_core.pace import Spacing
from jrr_core.session import Surroundings
from jrr_core.subscription import Subscription
from jrr_core.transport import ConnectFailed
from tests.toy import FAST, Script, ToyParser, ToyServer, ToySettings, says, toy_desk, toy_plan, toy_server, until

X, Y = Subscription("toy", "trade", "X"), Subscription("toy", "trade", "Y")


@define(eq=False)
class Stage:
    """A line on a real server, and what it published."""

    line: Line
    server: ToyServer
    counters: ExchangeCounters
    events: list[Message] = field(factory=list)
    parsers: list[ToyParser] = field(factory=list)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def ids(self) -> list[int]:
        return [int(event.trade_id) for event in self.of(Trade)]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten what a line waits for."""
    monkeypatch.setattr(line_module, "_OVERLAP_S", 0.05)
    monkeypatch.setattr(line_module, "_HANDOVER_S", 2.0)
    monkeypatch.setattr("jrr_core.session._WATCH_S", 0.01)
    monkeypatch.setattr("jrr_core.backoff.random.Random.uniform", lambda self, low, high: min(high, 0.03))


def staged(server: ToyServer, wanted: tuple[Subscription, ...] = (X,), attempts: Rate = FAST, **settings: Any) -> Stage:
    chosen = ToySettings(ws_url=server.url, **settings)
    counters, events, parsers = ExchangeCounters(), list[Message](), list[ToyParser]()

    def make_parser(subscriptions: Any) -> ToyParser:
        parsers.append(ToyParser())
        return parsers[-1]

    async def fetch(request: Any) -> Any:
        raise AssertionError("nothing is fetched here")

    around = Surroundings(
        settings=chosen, messages=FAST, desk=toy_desk(events.extend, counters), fetch=fetch,
    )  # fmt: skip
    line = Line(toy_plan(chosen, wanted), make_parser, around, Spacing(attempts))
    return Stage(line, server, counters, events, parsers)


@asynccontextmanager
async def running(script: Script, **options: Any) -> AsyncIterator[Stage]:
    """Run a line against a server with this script for as long as the block lasts."""
    async with toy_server(script) as server:
        at = staged(server, **options)
        task = asyncio.ensure_future(at.line.run())
        try:
            yield at
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def test_a_dropped_connection_is_made_again_with_a_fresh_parser() -> None:
    async def main() -> None:
        async with running(says("trade X 1")) as at:
            await until(lambda: at.ids() == [1] and at.server.heard)
            at.server.drop()
            await until(lambda: at.ids() == [1, 1])
            assert len(at.parsers) == 2
            await until(lambda: at.server.heard == ["sub trade X"] * 2)
            assert (at.counters.connections, at.counters.reconnects) == (2, 1)
            assert [event.type for event in at.events] == ["connected", "trade", "disconnected", "connected", "trade"]
            assert at.of(Disconnected)[0].reason == "connection cut"
            first, second = at.of(Connected)
            assert first.session != second.session

    asyncio.run(main())


def test_a_server_that_closes_with_1008_is_asked_again_and_its_words_are_kept() -> None:
    async def main() -> None:
        async def script(server: ToyServer, connection: ServerConnection, number: int) -> None:
            await connection.send(f"trade X {number}")
            if number < 3:
                await connection.close(1008, "slow down")

        async with running(script) as at:
            await until(lambda: at.ids() == [1, 2, 3])
            assert {event.reason for event in at.of(Disconnected)} == {"closed by the exchange: 1008 slow down"}

    asyncio.run(main())


def test_a_connection_that_stays_open_but_says_nothing_is_made_again() -> None:
    async def main() -> None:
        async with running(says("trade X 1"), stale_s=0.1) as at:
            await until(lambda: len(at.ids()) >= 2)
            assert at.of(Disconnected)[0].reason == "no frame for 0.1 s"

    asyncio.run(main())


def test_an_unreachable_server_is_tried_until_it_is_there() -> None:
    async def main() -> None:
        async with toy_server() as gone:
            at = staged(gone)
        port = int(gone.url.rpartition(":")[2].partition("/")[0])
        task = asyncio.ensure_future(at.line.run())
        await until(lambda: at.counters.connect_failures >= 2)
        assert "connection refused" in (at.line.trouble or "")
        async with toy_server(says("trade X 1"), port=port):
            await until(lambda: at.ids() == [1])
            assert at.line.trouble is None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


@pytest.mark.parametrize(("answered", "at_most_s"), [(False, 5.0), (True, 30.0)])
def test_an_absent_server_is_tried_more_often_than_one_that_refuses(
    monkeypatch: pytest.MonkeyPatch, answered: bool, at_most_s: float
) -> None:
    bounds: list[float] = []
    monkeypatch.setattr(
        "jrr_core.backoff.random.Random.uniform",
        lambda self, low, high: bounds.append(high) or 0.0,  # type: ignore[func-returns-value]
    )

    async def fail(*how: object) -> Any:
        raise ConnectFailed("nobody there", answered=answered)

    async def main() -> None:
        async with toy_server() as server:
            at = staged(server)
            monkeypatch.setattr(line_module, "open_socket", fail)
            task = asyncio.ensure_future(at.line.run())
            await until(lambda: len(bounds) >= 12)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert bounds[:3] == [0.5, 1.0, 2.0]
            assert max(bounds) == at_most_s

    asyncio.run(main())


def test_connection_attempts_are_paced() -> None:
    async def main() -> None:
        async def script(server: ToyServer, connection: ServerConnection, number: int) -> None:
            await connection.close()

        async with running(script, attempts=Rate(10, 1.0)) as at:
            await until(lambda: len(at.server.opened_s) >= 4)
            opened = at.server.opened_s
            assert all(later - former > 0.08 for former, later in itertools.pairwise(opened))

    asyncio.run(main())


def test_rotation_opens_the_successor_first_and_loses_nothing() -> None:
    async def main() -> None:
        async def script(server: ToyServer, connection: ServerConnection, number: int) -> None:
            await asyncio.Event().wait()

        async with running(script, wanted=(X, Y)) as at:
            sent = 0

            async def market() -> None:
                nonlocal sent
                while True:
                    sent += 1
                    await at.server.send(f"trade X {sent}")
                    await at.server.send(f"trade Y {sent}")
                    await asyncio.sleep(0.002)

            feeding = asyncio.ensure_future(market())
            await until(lambda: len(at.ids()) > 20)
            (old,) = at.server.open
            for _ in range(2):
                await old.send("rotate")
            await until(lambda: at.of(Disconnected))
            assert len(at.server.open) <= 2
            await until(lambda: len(at.server.open) == 1 and old not in at.server.open)
            seen = max(at.ids())
            await until(lambda: max(at.ids()) > seen + 10)
            feeding.cancel()
            assert set(at.ids()) >= set(range(min(at.ids()), max(at.ids()) + 1))
            assert {event.reason for event in at.of(Disconnected)} == {"rotated"}
            ends, starts = at.of(Disconnected), at.of(Connected)
            assert len(ends) == 2
            assert len(starts) == 4
            assert at.events.index(starts[3]) < at.events.index(ends[0])
            assert (at.counters.rotations, at.counters.reconnects, at.counters.connections) == (1, 0, 2)

    asyncio.run(main())


def test_the_old_connection_is_let_go_in_time_though_one_stream_of_the_successor_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_module, "_HANDOVER_S", 0.1)

    async def main() -> None:
        async def script(server: ToyServer, connection: ServerConnection, number: int) -> None:
            await connection.send(f"trade X {number}")
            if number == 1:
                await connection.send("trade Y 1")
                await connection.send("rotate")

        async with running(script, wanted=(X, Y)) as at:
            await until(lambda: at.of(Disconnected))
            assert {event.reason for event in at.of(Disconnected)} == {"rotated"}
            assert at.counters.reconnects == 0

    asyncio.run(main())


def test_the_old_connection_goes_on_while_successors_die_or_are_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_module, "_HANDOVER_S", 0.05)

    async def main() -> None:
        first: list[ServerConnection] = []

        async def script(server: ToyServer, connection: ServerConnection, number: int) -> None:
            if number == 1:
                first.append(connection)
                await connection.send("trade X 1")
                await connection.send("rotate")
            elif number == 2:
                await connection.close(1011, "not yet")
            elif number == 3:
                await first[0].send("trade X 2")
                await asyncio.sleep(0.3)
                await first[0].send("trade X 3")
                await until(lambda: 3 in at.ids())
                await connection.send("trade X 3")

        async with running(script) as at:
            await until(lambda: at.of(Disconnected))
            assert at.ids() == [1, 2, 3, 3]
            assert [event.reason for event in at.of(Disconnected)] == ["rotated"]
            assert (at.counters.rotations, at.counters.reconnects) == (1, 1)

    asyncio.run(main())


def test_an_old_connection_that_dies_during_the_handover_says_why() -> None:
    async def main() -> None:
        async def script(server: ToyServer, connection: ServerConnection, number: int) -> None:
            if number == 1:
                await connection.send("trade X 1")
                await connection.send("rotate")
                await until(lambda: len(server.opened_s) == 2)
                await connection.close(1001, "going away")

        async with running(script) as at:
            await until(lambda: at.of(Disconnected))
            assert "1001 going away" in at.of(Disconnected)[0].reason
            await until(lambda: at.counters.reconnects == 1)

    asyncio.run(main())


def test_a_planned_renewal_goes_on_and_on() -> None:
    async def main() -> None:
        async with running(says("trade X 1"), rotate_after_s=0.1) as at:
            await until(lambda: at.counters.rotations >= 3)
            assert {event.reason for event in at.of(Disconnected)} == {"rotated"}

    asyncio.run(main())


def test_unsubscribing_reaches_the_live_connection_and_the_next_one() -> None:
    async def main() -> None:
        async with running(says("trade X 1", "trade Y 1"), wanted=(X, Y)) as at:
            await until(lambda: len(at.ids()) == 2)
            at.line.unsubscribe((Y,))
            await until(lambda: "unsub trade Y" in at.server.heard)
            assert [(event.symbol, event.reason) for event in at.of(Disconnected)] == [("Y", "unsubscribed")]
            at.server.heard.clear()
            at.server.drop()
            await until(lambda: at.server.heard)
            assert at.server.heard == ["sub trade X"]

    asyncio.run(main())


def test_a_stop_ends_streams_as_stopped_and_is_prompt() -> None:
    async def main() -> None:
        async with toy_server(says("trade X 1")) as server:
            at = staged(server)
            task = asyncio.ensure_future(at.line.run())
            await until(lambda: at.ids())
            began = time.monotonic()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert time.monotonic() - began < 0.5
            assert [event.reason for event in at.of(Disconnected)] == ["stopped"]
            assert not at.line.sessions

    asyncio.run(main())


@pytest.mark.parametrize("mistake", [ZeroDivisionError("oops"), ConfigError("wrong")])
def test_a_connector_that_cannot_make_a_parser_ends_its_line_and_leaves_no_connection(mistake: Exception) -> None:
    async def main() -> None:
        async with toy_server() as server:
            at = staged(server)

            def fail(subscriptions: Any) -> ToyParser:
                raise mistake

            line = Line(at.line.plan, fail, at.line._around, Spacing(FAST))
            with pytest.raises(ExceptionGroup) as raised:
                await line.run()
            assert raised.group_contains((PluginError, ConfigError))
            await until(lambda: not server.open)

    asyncio.run(main())


def test_an_address_that_is_none_ends_the_line() -> None:
    async def main() -> None:
        async with toy_server() as server:
            at = staged(server)
            at.line.plan = evolve(at.line.plan, url="ws://127.0.0.1:99999")
            with pytest.raises(ExceptionGroup) as raised:
                await at.line.run()
            assert raised.group_contains(ConfigError)
            assert "99999" in (at.line.trouble or "")

    asyncio.run(main())


def test_a_subscribe_that_raises_is_tried_again_and_told() -> None:
    async def main() -> None:
        async with toy_server(says("trade X 1")) as server:
            at = staged(server)
            said, calls = at.line.plan.subscribe, list[int]()

            def fail_once(wanted: Any) -> Any:
                calls.append(1)
                if len(calls) == 1:
                    raise ZeroDivisionError
                return said(wanted)

            at.line.plan = evolve(at.line.plan, subscribe=fail_once)
            task = asyncio.ensure_future(at.line.run())
            await until(lambda: at.ids())
            assert at.counters.reconnects == 1
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_ten_rude_drops_in_a_row_keep_the_frames_accounted() -> None:
    async def main() -> None:
        draw = random.Random(5)

        async def script(server: ToyServer, connection: ServerConnection, number: int) -> None:
            for _ in range(5):
                await connection.send(draw.choice(["trade X 1", "bad", "hello", "boom"]))
            await asyncio.sleep(0.005)
            connection.transport.abort()

        async with running(script) as at:
            await until(lambda: at.counters.reconnects >= 10)
        counters = at.counters
        assert counters.frames == counters.parsed + counters.control + counters.rejected > 0
        assert len(at.of(Connected)) == len(at.of(Disconnected))

    asyncio.run(main())


class ExtendingParser(ToyParser):
    """Takes on streams, unless it is told not to."""

    willing = True

    def extend(self, wanted: Sequence[Subscription]) -> bool:
        return self.willing


def test_a_stream_joins_the_live_connection_and_the_next_one_asks_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.test_line.ToyParser", ExtendingParser)

    async def main() -> None:
        async with running(says("trade X 1")) as at:
            await until(lambda: at.ids() == [1])
            assert at.line.subscribe([Subscription("toy", "trade", "Y")])
            await until(lambda: at.server.heard == ["sub trade X", "sub trade Y"])
            await at.server.send("trade Y 2")
            await until(lambda: at.ids() == [1, 2])
            assert [event.type for event in at.events] == ["connected", "trade", "connected", "trade"]
            at.server.drop()
            await until(lambda: at.server.heard[2:] == ["sub trade X", "sub trade Y"])

    asyncio.run(main())


def test_a_connection_that_cannot_take_a_stream_stays_as_it_is_or_is_renewed_successor_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.test_line.ToyParser", ExtendingParser)
    monkeypatch.setattr(ExtendingParser, "willing", False)
    monkeypatch.setattr("jrr_core.line._OVERLAP_S", 0.0)

    async def main() -> None:
        async with running(says("trade X 1", "trade Y 1")) as at:
            await until(lambda: at.ids() == [1, 1])
            assert not at.line.subscribe([Subscription("toy", "trade", "Y")])
            assert [each.symbol for each in at.line.plan.subscriptions] == ["X"]
            assert at.line.subscribe([Subscription("toy", "trade", "Y")], renewing=True)
            await until(lambda: at.server.heard == ["sub trade X", "sub trade X", "sub trade Y"])
            await until(lambda: at.counters.rotations == 1 and len(at.line.sessions) == 1)
            assert at.counters.reconnects == 0

    asyncio.run(main())
