"""From simulated exchanges into the server, which fails meanwhile: the store holds what was sent, or says what not."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from jrr_postgres import PostgresSink, StorageConfig
from jrr_postgres.testing import Server, execute

from jrr_core.builder import ManagerBuilder
from jrr_core.subscription import Subscription
from jrr_core.testing.child import simulated

pytestmark = pytest.mark.e2e

STREAMS = [f"binance:{channel}:{symbol}" for channel in ("trade", "book", "candle_1m", "quote")
           for symbol in ("BTCUSDT", "ETHUSDT")]  # fmt: skip


async def restarted(server: Server) -> None:
    await asyncio.sleep(1.0)
    await asyncio.to_thread(server.restart)


async def crashed_twice(server: Server) -> None:
    for _ in range(2):
        await asyncio.sleep(0.7)
        await asyncio.to_thread(server.restart, "immediate")


async def away_from_the_start(server: Server) -> None:
    await asyncio.sleep(1.0)
    await asyncio.to_thread(server.start)


@pytest.mark.parametrize(
    "trouble",
    [
        restarted,
        *[pytest.param(trouble, marks=pytest.mark.nightly) for trouble in (crashed_twice, away_from_the_start)],
    ],
)
def test_the_store_holds_exactly_what_was_sent(
    trouble: Callable[[Server], Awaitable[None]], own_server: Server, tmp_path: Path
) -> None:
    if trouble is away_from_the_start:
        own_server.stop()

    async def main() -> list[str]:
        sink = PostgresSink(StorageConfig(dsn=own_server.dsn("market"), compact=False))
        wanted = [Subscription.parse(text) for text in STREAMS]
        async with simulated(["binance"], rate=500, run_s=3.0, truth_file=tmp_path / "truth.jsonl") as market:
            builder = ManagerBuilder().add_sink(sink).set_spool(path=str(tmp_path / "spool"))
            builder.add_exchange("binance", ws_url=market.ws_urls["binance"], rest_url=market.rest_urls["binance"])
            manager = await builder.build()
            await manager.subscribe(wanted)
            running = asyncio.create_task(manager.run())
            await trouble(own_server)
            await market.quiet()
            await asyncio.sleep(0.5)
            await manager.stop()
            assert await running == 0, manager.account.failings()
            truth = await market.stop()
        counters = manager.get_stats()["sinks"]["postgres"]
        assert counters["published"] == counters["written"] + counters["duplicate"]
        assert (counters["dropped"], counters["quarantined"], counters["pending"]) == (0, 0, 0)
        differences = await truth.compare_store(sink, wanted, whole=True)
        gaps = [each for each in await sink.coverage() if each.state == "gap"]
        return differences + [str(gap) for gap in gaps]

    assert asyncio.run(main()) == []


def test_a_stop_while_the_server_is_away_ends_in_time_and_leaves_the_rest_to_be_drained(
    own_server: Server, tmp_path: Path
) -> None:
    async def main() -> None:
        async with simulated(["binance"], rate=300) as market:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "from jrr_core.cli import main; main()", "run", "--plugins", "binance,postgres",
                *[part for text in STREAMS for part in ("--subscribe", text)],
                "--set", f"sinks.postgres.dsn={own_server.dsn('market')}", "--set", "run.stop_timeout_s=2",
                "--set", f"exchanges.binance.ws_url={market.ws_urls['binance']}",
                "--set", f"exchanges.binance.rest_url={market.rest_urls['binance']}", "--log-format", "json",
                cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            await stored(own_server.dsn("market"))
            await asyncio.to_thread(own_server.stop)
            await asyncio.sleep(1.0)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, errors = await asyncio.wait_for(process.communicate(), 30)
            took_s = time.monotonic() - began
        lines = [json.loads(line) for line in errors.decode().splitlines()]
        account = lines[-1]["sinks"]["postgres"]
        assert process.returncode == 1
        assert account["spooled"] > 0
        assert account["dropped"] == 0
        assert account["published"] == account["written"] + account["duplicate"] + account["spooled"]
        assert any("events left in the spool" in failing for failing in lines[-1]["failings"])
        assert took_s < 15
        await asyncio.to_thread(own_server.start)
        drain = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "from jrr_core.cli import main; main()", "spool", "drain", "--plugins", "postgres",
            "--set", f"sinks.postgres.dsn={own_server.dsn('market')}", cwd=tmp_path, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await asyncio.wait_for(drain.communicate(), 30)
        assert drain.returncode == 0, output
        assert f"postgres: {account['spooled']:,} events = ".encode() in output
        assert not (tmp_path / "spool").exists()

    asyncio.run(main())


async def stored(dsn: str) -> None:
    """Return once rows are in the store."""
    async with asyncio.timeout(30):
        while True:
            try:
                await execute(dsn, "SELECT 1 / count(*) FROM jrr.trades")
            except Exception:  # not there yet, in one way or another
                await asyncio.sleep(0.1)
            else:
                return
