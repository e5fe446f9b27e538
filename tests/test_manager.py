"""The whole run against real servers: started, changed while running, stopped in order, accounted for."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from jrr_core.builder import ManagerBuilder
from jrr_core.config import Config, NetworkSettings, RunSettings
from jrr_core.errors import ConfigError, JrrError, PluginError
from jrr_core.events import Disconnected, Gap, Message, Trade
from jrr_core.frame import Frame
from jrr_core.loading import Plugin
from jrr_core.manager import Manager
from jrr_core.plugins import Plugins
from jrr_core.sink import WriteResult
from tests.proxies import NOWHERE, proxy_server
from tests.toy import (
    MemorySettings,
    MemorySink,
    OtherConnector,
    ToyConnector,
    ToyParser,
    ToyServer,
    balanced,
    says,
    toy_server,
    trade,
    until,
)

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = Plugins([Plugin("toy", "jrr-toy", "1", connectors=(ToyConnector, OtherConnector), sinks=(MemorySink,))])


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep quarantine folders out of the repository."""
    monkeypatch.chdir(tmp_path)


async def managed(server: ToyServer, *sinks: MemorySink, buffer_events: int = 10_000, stop_s: float = 2.0,
                  other: ToyServer | None = None, **settings: Any) -> Manager:  # fmt: skip
    """Build a manager over the toy exchange (and the other one) at these servers."""
    toy = {"ws_url": server.url, "rest_url": server.rest_url, **settings}
    config = Config(
        exchanges={"toy": toy, "other": {"ws_url": (other or server).url}},
        run=RunSettings(buffer_events=buffer_events, stop_timeout_s=stop_s),
    )
    builder = ManagerBuilder(plugins=PLUGINS, config=config)
    for sink in sinks or (MemorySink(),):
        builder.add_sink(sink)
    return await builder.build()


@asynccontextmanager
async def running(manager: Manager) -> AsyncIterator["asyncio.Task[None]"]:
    """Run the manager; at the end stop it and see that every account balances."""
    task = asyncio.ensure_future(manager.start_all_listeners())
    try:
        yield task
    finally:
        began = time.monotonic()
        await manager.stop()
        assert time.monotonic() - began < 3.5
        await asyncio.gather(task, return_exceptions=True)
    accounted(manager)


def accounted(manager: Manager) -> None:
    for exchange in manager.exchanges.values():
        counters = exchange.around.desk.counters
        assert counters.frames == counters.parsed + counters.control + counters.rejected
    for drain in manager.drains:
        assert balanced(drain.counters, drain.pending)
    for notifier in manager.notifiers:
        assert balanced(notifier.counters, notifier.pending)


def test_what_is_sent_is_stored_once_with_its_beginning_and_end() -> None:
    async def main() -> None:
        async with toy_server(says("trade X 1 2", "hello", "bad", "trade X 2 3")) as server:
            sink = MemorySink()
            manager = await managed(server, sink)
            await manager.subscribe(["toy:trade:X"])
            async with running(manager):
                await until(lambda: sink.ids() == ["1", "2", "3"])
            assert [row.type for row in sink.rows] == ["connected", "trade", "trade", "trade", "disconnected"]
            stats = manager.get_stats()
            assert stats["sinks"]["memory"]["duplicate"] == 1
            assert stats["exchanges"]["toy"]["rejected"] == 1
            assert stats["exchanges"]["toy"]["events"] == {"trade": 4}
            assert sink.closed == 1
            assert any("not understood" in text for text in manager.account.failings())
            assert len(list(Path(".jrr/quarantine").iterdir())) == 1

    asyncio.run(main())


def test_subscribing_and_unsubscribing_work_while_running() -> None:
    async def main() -> None:
        async with toy_server(says("trade X 1")) as server:
            sink = MemorySink()
            manager = await managed(server, sink)
            async with running(manager):
                await manager.subscribe(["toy:trade:X"])
                await until(lambda: sink.ids() == ["1"])
                await manager.subscribe_exchange("toy", ["trade:Y"])
                await until(lambda: len(server.open) == 2)
                await manager.unsubscribe(["toy:trade:X"])
                with pytest.raises(ConfigError, match="toy:trade:X is not subscribed"):
                    await manager.unsubscribe(["toy:trade:X"])
                await until(lambda: len(server.open) == 1)
                await server.send("trade Y 5")
                await until(lambda: sink.ids("Y") == ["5"])
            ends = {(row.symbol, row.reason) for row in sink.rows if isinstance(row, Disconnected)}
            assert ("X", "unsubscribed") in ends
            assert ("Y", "stopped") in ends
            assert manager.get_stats()["exchanges"]["toy"]["connections"] == 2

    asyncio.run(main())


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("nope:trade:X", "no exchange 'nope'"),
        ("toy:trades:X", "channel"),
        ("toy:trade", "lacks a symbol"),
        ("toy:funding:X", "no such channel"),
        ("toy:trade:NO", "no symbol 'NO'"),
        ("gibberish", "not of the form"),
    ],
)
def test_a_wrong_subscription_is_told_before_anything_connects(wanted: str, words: str) -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/instruments"] = (200, "X", {})
            manager = await managed(server, lists=True)
            with pytest.raises(ConfigError, match=words):
                await manager.subscribe([wanted])
            assert not server.opened_s

    asyncio.run(main())


def test_a_wrong_subscription_of_one_exchange_leaves_the_other_collected() -> None:
    async def main() -> None:
        async with toy_server(says("trade X 1")) as server:
            sink = MemorySink()
            manager = await managed(server, sink, breaks="sessions")
            async with running(manager):
                with pytest.raises(PluginError, match="toy"):
                    await manager.subscribe(["toy:trade:X", "other:trade:X"])
                await until(lambda: sink.ids() == ["1"])

    asyncio.run(main())


@pytest.mark.parametrize(
    ("raw", "words"), [({"ws_urll": "x"}, "ws_url"), ({"stale_s": "soon"}, "stale_s"), ({"stale_s": None}, "stale_s")]
)
def test_wrong_settings_are_told_at_build(raw: dict[str, Any], words: str) -> None:
    config = Config(exchanges={"toy": raw})
    with pytest.raises(ConfigError, match=words):
        asyncio.run(ManagerBuilder(plugins=PLUGINS, config=config).add_sink(MemorySink()).build())


def test_the_builder_resolves_names_and_refuses_unknown_ones() -> None:
    async def main() -> None:
        builder = ManagerBuilder(MemorySettings(), plugins=PLUGINS)
        manager = await builder.add_toy(ws_url="ws://127.0.0.1:1").build()
        assert set(manager.exchanges) == {"toy", "other"}
        assert [drain.sink.name for drain in manager.drains] == ["memory"]
        with pytest.raises(ConfigError):
            builder.add_tooy()
        with pytest.raises(ConfigError):
            builder.add_sink("memry")
        with pytest.raises(ConfigError):
            builder.add_subscriber("no")
        with pytest.raises(ConfigError, match="no installed sink takes"):
            ManagerBuilder(object(), plugins=PLUGINS)
        with pytest.raises(AttributeError):
            _ = builder.nothing

    asyncio.run(main())


class Listening:
    """A plugin's subscriber."""

    name: ClassVar[str] = "listening"
    Settings: ClassVar[type] = MemorySettings
    accepts: tuple[type, ...] = (Trade,)
    heard: ClassVar[list[str]] = []

    def __init__(self, settings: Any) -> None:
        """Take MemorySettings."""

    async def notify(self, batch: Sequence[Any]) -> None:
        """Note the ids."""
        self.heard.extend(event.trade_id for event in batch)


class Replacing(ToyParser):
    """A parser plugin that takes the place of the connector's own."""

    exchange: ClassVar[str] = "toy"

    def __init__(self, subscriptions: Any) -> None:
        """Take the subscriptions, as parser plugins do."""
        super().__init__()

    def receive(self, frame: Frame) -> Sequence[Message]:
        """Say 7 to everything."""
        return [trade(7, ts_recv=frame.ts_recv)]


def test_subscriber_and_parser_plugins_are_used_and_the_embedded_sink_where_none_is_named() -> None:
    async def main() -> None:
        offered = Plugin("toy", "jrr-toy", "1", (ToyConnector,), (Replacing,), (MemorySink,), (Listening,))
        async with toy_server(says("anything")) as server:
            builder = ManagerBuilder(plugins=Plugins([offered]))
            builder.add_exchange("toy", ws_url=server.url).add_subscriber("listening")
            manager = await builder.build()
            await manager.subscribe(["toy:trade:X"])
            async with running(manager):
                await until(lambda: Listening.heard)
            assert Listening.heard == ["7"]
            (drain,) = manager.drains
            assert drain.counters.written == 3

    asyncio.run(main())


@pytest.mark.parametrize(
    "config", [Config(exchanges={"nope": {}}), Config(sinks={"nope": {}}), Config(subscribers={"nope": {}})]
)
def test_a_section_for_what_is_not_installed_is_refused(config: Config) -> None:
    with pytest.raises(ConfigError, match="nope"):
        ManagerBuilder(plugins=PLUGINS, config=config)


def test_callbacks_sync_and_async_get_events_and_their_mistakes_are_counted() -> None:
    async def main() -> None:
        async with toy_server(says("trade X 1 2 3")) as server:
            prices: list[Any] = []
            symbols: list[str] = []

            async def later(message: Any) -> None:
                await asyncio.sleep(0)
                symbols.append(message.symbol)

            def wrong(message: Any) -> None:
                raise ZeroDivisionError

            sink = MemorySink()
            manager = await managed(server, sink)
            await manager.subscribe(["toy:trade:X"])
            manager.add_subscriber("trade", lambda message: prices.append(message.data["price"]))
            manager.add_subscriber("trade", wrong)
            with pytest.raises(ConfigError, match="tradez"):
                manager.add_subscriber("tradez", wrong)
            with pytest.raises(ConfigError, match="None cannot be called"):
                manager.add_subscriber("trade", None)  # type: ignore[arg-type]  # the mistake to be told
            async with running(manager):
                manager.add_subscriber("trade", later)
                await until(lambda: len(sink.ids()) == 3 and len(prices) == 3 and len(symbols) == 3)
                stats = manager.get_stats()["subscribers"]
                failed = [each["failed"] for name, each in stats.items() if "wrong" in name]
                assert failed == [3]
            assert [str(price) for price in prices] == ["1", "2", "3"]

    asyncio.run(main())


def test_a_stream_yields_events_until_the_stop() -> None:
    async def main() -> None:
        async with toy_server(says("trade X 1 2 3")) as server:
            manager = await managed(server)
            await manager.subscribe(["toy:trade:X"])
            found: list[Any] = []

            async def listen() -> None:
                async for event in manager.stream("trade"):
                    found.append(event)

            listening = asyncio.ensure_future(listen())
            await asyncio.sleep(0)
            async with running(manager):
                await until(lambda: len(found) == 3)
                assert not listening.done()
            await asyncio.wait_for(listening, 1)
            with pytest.raises(ConfigError, match="no channel 'tradez'"):
                await anext(manager.stream("tradez"))

    asyncio.run(main())


def test_a_manager_stopped_before_its_start_opens_nothing() -> None:
    async def main() -> None:
        async with toy_server() as server:
            sink = MemorySink()
            manager = await managed(server, sink)
            await manager.subscribe(["toy:trade:X"])
            await manager.stop()
            await asyncio.wait_for(manager.start_all_listeners(), 1)
            assert (sink.opened, server.opened_s) == (0, [])

    asyncio.run(main())


def test_a_stream_of_a_manager_that_is_stopped_unstarted_ends() -> None:
    async def main() -> None:
        async with toy_server() as server:
            manager = await managed(server)
            stream = manager.stream("trade")
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            await manager.stop()
            with pytest.raises(StopAsyncIteration):
                await asyncio.wait_for(waiting, 1)

    asyncio.run(main())


@pytest.mark.parametrize("way", ["awaited", "task returned", "task awaited"])
def test_a_subscriber_may_stop_the_manager(way: str) -> None:
    async def main() -> None:
        async with toy_server(says("trade X 1 2 3")) as server:
            sink = MemorySink()
            manager = await managed(server, sink, stop_s=30.0)
            await manager.subscribe(["toy:trade:X"])

            async def enough(message: Any) -> None:
                await (manager.stop() if way == "awaited" else asyncio.ensure_future(manager.stop()))

            def task(message: Any) -> Any:
                return asyncio.ensure_future(manager.stop())

            manager.add_subscriber("trade", task if way == "task returned" else enough)
            await asyncio.wait_for(manager.start_all_listeners(), 3)
            assert sink.ids() == ["1", "2", "3"]

    asyncio.run(main())


def test_streams_that_come_and_go_at_once_leave_one_connection() -> None:
    async def main() -> None:
        async with toy_server(says("trade X 1")) as server:
            sink = MemorySink()
            manager = await managed(server, sink)
            async with running(manager):
                for _ in range(5):
                    await manager.subscribe("toy:trade:X")
                    await manager.unsubscribe("toy:trade:X")
                await manager.subscribe_exchange("toy", "trade:X")
                await until(lambda: sink.ids() == ["1"])
                await until(lambda: len(server.open) == 1)
            stats = manager.get_stats()["exchanges"]["toy"]
            assert [stream["symbol"] for stream in stats["streams"]] == ["X"]

    asyncio.run(main())


def test_a_manager_runs_once_and_a_second_start_harms_nothing() -> None:
    async def main() -> None:
        async with toy_server(says("trade X 1")) as server:
            sink = MemorySink()
            manager = await managed(server, sink)
            await manager.subscribe(["toy:trade:X"])
            async with running(manager) as task:
                await until(lambda: sink.ids() == ["1"])
                with pytest.raises(ConfigError, match="started before"):
                    await manager.start_all_listeners()
                await server.send("trade X 2")
                await until(lambda: sink.ids() == ["1", "2"])
            await task
            with pytest.raises(ConfigError, match="started before"):
                await manager.run(1.0)

    asyncio.run(main())


def test_without_network_it_keeps_trying_and_stops_promptly() -> None:
    async def main() -> None:
        async with toy_server() as server:
            pass
        sink = MemorySink()
        manager = await managed(server, sink, lists=True)
        await manager.subscribe(["toy:trade:X", "toy:trade:A*"])
        task = asyncio.ensure_future(manager.start_all_listeners())
        toy = manager.exchanges["toy"]
        await until(lambda: toy.around.desk.counters.connect_failures >= 2)
        assert "connection refused" in manager.get_stats()["exchanges"]["toy"]["trouble"]
        began = time.monotonic()
        await manager.stop()
        assert time.monotonic() - began < 1.5
        await task
        assert any("never connected" in text for text in manager.account.failings())

    asyncio.run(main())


def test_a_slow_sink_and_a_slow_subscriber_slow_neither_socket_nor_the_other_sink() -> None:
    async def main() -> None:
        async def script(server: ToyServer, connection: Any, number: int) -> None:
            for n in range(3000):
                await connection.send(f"trade X {n}")

        async with toy_server(script) as server:
            slow, quick = MemorySink(delay_s=0.5), MemorySink()
            manager = await managed(server, slow, quick, buffer_events=100, stop_s=0.2)
            quick_drain = manager.drains[1]
            quick_drain.buffer.capacity = 10_000
            manager.add_subscriber("trade", lambda message: asyncio.sleep(1))
            await manager.subscribe(["toy:trade:X"])
            async with running(manager):
                await until(lambda: len(quick.ids()) == 3000)
                assert len(slow.rows) < 300
            assert slow.closed == quick.closed == 1

    asyncio.run(main())


def test_a_sink_away_for_a_while_gets_everything_and_one_away_at_the_stop_leaves_it_in_the_spool() -> None:
    async def main() -> None:
        async with toy_server(says("trade X 1 2 3")) as server:
            back, gone = MemorySink(away=True), MemorySink(away=True)
            manager = await managed(server, back, gone, stop_s=0.5)
            await manager.subscribe(["toy:trade:X"])
            task = asyncio.ensure_future(manager.start_all_listeners())
            await until(lambda: manager.drains[1].counters.spooled == 4)
            back.away = False
            await until(lambda: back.ids() == ["1", "2", "3"])
            began = time.monotonic()
            await manager.stop()
            assert time.monotonic() - began < 1.5
            await task
            accounted(manager)
            assert manager.drains[1].counters.spooled == manager.drains[1].counters.published == 5
            assert manager.drains[0].counters.dropped == 0
            assert any("memory: 5 events left in the spool" in text for text in manager.account.failings())

    asyncio.run(main())


class Unopenable(MemorySink):
    """Away at first, then wrong for good."""

    async def open(self) -> None:
        """Be away once, then raise."""
        self.opened += 1
        if self.opened == 1:
            self.away = True
            await super().open()
        raise ConfigError("the database is of a newer version")


class Confused(MemorySink):
    """Raises what no sink may, at times."""

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        """Fail every other time."""
        self.tries.append(list(batch))
        if len(self.tries) % 2:
            raise KeyError("row")
        return await super().write(batch)


def test_broken_parts_harm_no_other_and_are_told_at_the_end() -> None:
    async def main() -> None:
        async with toy_server(says("trade X 1", "boom", "junk")) as server:
            good, confused, unopenable = MemorySink(), Confused(), Unopenable()
            manager = await managed(server, good, confused, unopenable, stop_s=0.5, breaks="parser")
            await manager.subscribe(["toy:trade:X", "other:trade:X"])
            task = asyncio.ensure_future(manager.start_all_listeners())
            await until(lambda: good.ids() == ["1"] and unopenable.opened == 2)
            await server.send("trade X 2")
            await until(lambda: good.ids() == ["1", "2"])
            await manager.stop()
            with pytest.raises(JrrError):
                await task
            accounted(manager)
            assert manager.exchanges["other"].around.desk.counters.rejected == 2
            assert all(sink.closed == 1 for sink in (good, confused, unopenable))

    asyncio.run(main())


def test_a_sink_whose_settings_are_wrong_is_told_before_anything_connects() -> None:
    class Wrong(MemorySink):
        async def open(self) -> None:
            raise ConfigError("no such folder")

    async def main() -> None:
        async with toy_server() as server:
            manager = await managed(server, Wrong())
            await manager.subscribe(["toy:trade:X"])
            with pytest.raises(ConfigError, match="no such folder"):
                await manager.start_all_listeners()
            assert not server.opened_s
            await asyncio.wait_for(manager.stop(), 1)

    asyncio.run(main())


def test_a_stop_does_not_wait_for_a_sink_that_hangs_while_it_opens() -> None:
    class Hanging(MemorySink):
        async def open(self) -> None:
            self.opened += 1
            await asyncio.sleep(60)

    async def main() -> None:
        async with toy_server() as server:
            sink = Hanging()
            manager = await managed(server, sink, stop_s=0.2)
            await manager.subscribe(["toy:trade:X"])
            task = asyncio.ensure_future(manager.start_all_listeners())
            await until(lambda: sink.opened)
            began = time.monotonic()
            await manager.stop()
            await task
            assert time.monotonic() - began < 1
            assert sink.closed == 1
            assert not server.opened_s

    asyncio.run(main())


def test_being_cancelled_stores_what_is_buffered_first() -> None:
    async def main() -> None:
        async with toy_server(says("trade X 1 2 3")) as server:
            sink = MemorySink(delay_s=0.05)
            manager = await managed(server, sink)
            await manager.subscribe(["toy:trade:X"])
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(manager.start_all_listeners(), 0.15)
            assert sink.ids() == ["1", "2", "3"]
            assert sink.kinds()["disconnected"] == 1
            assert sink.closed == 1
            accounted(manager)

    asyncio.run(main())


def test_a_failing_tick_ends_the_run_in_order() -> None:
    async def main() -> None:
        async with toy_server(says("trade X 1")) as server:
            sink = MemorySink()
            manager = await managed(server, sink)
            await manager.subscribe(["toy:trade:X"])

            def tick(stats: dict[str, Any]) -> None:
                raise ZeroDivisionError

            with pytest.raises(BaseException) as raised:  # noqa: PT011 - a group or the error itself
                await manager.run(5.0, tick)
            assert "ZeroDivisionError" in repr(raised.value)
            assert sink.ids() == ["1"]

    asyncio.run(main())


def test_run_ends_in_time_with_a_tick_and_an_exit_code() -> None:
    async def main() -> None:
        async with toy_server(says("trade X 1")) as server:
            manager, ticks = await managed(server), list[dict[str, Any]]()
            await manager.subscribe(["toy:trade:X"])
            assert await manager.run(0.3, ticks.append) == 0
            assert ticks[-1]["exchanges"]["toy"]["frames"] == 1
        async with toy_server(says("bad")) as server:
            manager = await managed(server)
            await manager.subscribe(["toy:trade:X"])
            assert await manager.run(0.2) == 1

    asyncio.run(main())


def test_an_overflow_is_a_gap_in_the_store() -> None:
    async def main() -> None:
        async with toy_server(says("trade X " + " ".join(map(str, range(500))))) as server:
            sink = MemorySink()
            manager = await managed(server, sink, buffer_events=50)
            await manager.subscribe(["toy:trade:X"])
            async with running(manager):
                await until(lambda: sink.kinds()["gap"])
            (gap,) = [row for row in sink.rows if isinstance(row, Gap)]
            assert (gap.what, gap.symbol) == ("trade", "X")
            assert (gap.count or 0) + len(sink.ids()) == 500
            assert all(isinstance(row, Trade) for row in sink.rows if row.type == "trade")

    asyncio.run(main())


SIGNALLED = """
    import sys
    from jrr_core.eventloop import run_on
    from tests.test_manager import managed
    from tests.toy import MemorySink, balanced, says, toy_server, until

    async def main():
        async with toy_server(says("trade X 1 2 3")) as server:
            sink = MemorySink()
            manager = await managed(server, sink, stop_s=30.0)
            await manager.subscribe(["toy:trade:X"])
            def tick(stats):
                if sink.ids() and not sink.away:
                    sink.away = AWAY
                    print("ready", flush=True)
            code = await manager.run(20.0, tick)
            drain = manager.drains[0]
            print(code, balanced(drain.counters), drain.counters.spooled > 0, sink.closed, flush=True)

    run_on("LOOP", main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize(("signals", "away", "told"), [(1, False, "0 True False 1"), (2, True, "1 True True 1")])
def test_one_signal_stops_in_order_and_a_second_at_once(
    signals: int, away: bool, told: str, loop: str, tmp_path: Path
) -> None:
    code = textwrap.dedent(SIGNALLED).replace("AWAY", str(away)).replace("LOOP", loop)
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        last = [line for line in process.stdout.read().splitlines() if line != "ready"]
        assert process.wait(5) == 0
    assert last == [told]
    assert time.monotonic() - began < 8


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_everything_of_an_exchange_goes_through_the_proxy(scheme: str) -> None:
    async def main() -> None:
        async with (
            toy_server(says("trade X 1 2"), host=NOWHERE) as server,
            proxy_server(scheme, credentials=("user", "p@ss")) as proxy,
        ):
            server.pages["/instruments"] = (200, "X Y", {})
            config = Config(
                exchanges={"toy": {"ws_url": server.url, "rest_url": server.rest_url, "lists": True}},
                network=NetworkSettings(proxy=proxy.address),
            )
            sink = MemorySink()
            manager = await ManagerBuilder(plugins=PLUGINS, config=config).add_sink(sink).build()
            await manager.subscribe_exchange("toy", ["trade:X"])
            assert len(proxy.asked) == 1
            async with running(manager):
                await until(lambda: sink.ids() == ["1", "2"])
            assert {host for host, _ in proxy.asked} == {NOWHERE}

    asyncio.run(main())


def test_processes_behind_one_address_share_what_it_is_allowed() -> None:
    class Shared(MemorySink):
        several_writers = True

    async def check() -> None:
        limits = []
        for sharers in (1, 4):
            builder = ManagerBuilder(plugins=PLUGINS).add_exchange("toy").add_sink(Shared())
            manager = await builder.share_limits(sharers).build()
            exchange = manager.exchanges["toy"]
            assert exchange.around.sharers == sharers
            limits.append(exchange.spent[""]["limit"])
        assert limits[0] == 4 * limits[1]

    asyncio.run(check())


def test_a_store_that_takes_one_writer_is_not_shared() -> None:
    builder = ManagerBuilder(plugins=PLUGINS).add_sink(MemorySink())
    builder.share_limits(1)
    with pytest.raises(ConfigError, match="sink memory: its store takes one writing process at a time, so 2 workers"):
        builder.share_limits(2)
