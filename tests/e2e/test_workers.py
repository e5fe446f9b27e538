"""`jrr run --workers 2` on a simulated exchange and a real PostgreSQL: one collector to everybody, in two processes."""

import asyncio
import itertools
import json
import os
import signal
import socket
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import Factory, define
from click.testing import CliRunner
from jrr_binance.connector import UsdM
from jrr_postgres import PostgresSink, StorageConfig

from jrr_core.cli import main
from jrr_core.subscription import Subscription
from jrr_core.testing.child import Simulation, simulated
from jrr_core.testing.truth import Truth
from jrr_core.testing.verdict import judge, numberings_of
from tests.toy import until

pytestmark = pytest.mark.e2e

# By the hash of their names the first is the first worker's, the other the second's.
TRADES = ("binance-usdm:trade:BTCUSDT", "binance-usdm:trade:ETHUSDT")
NUMBERINGS = numberings_of({"binance-usdm": UsdM})
_WITHIN_S = 30.0


@define
class Run:
    """A collector in two workers: what it said so far, and its numbers over HTTP."""

    process: asyncio.subprocess.Process
    url: str
    notified: socket.socket
    lines: list[dict[str, Any]] = Factory(list)

    async def said(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """Return the lines of an event once there are so many."""
        await until(lambda: len(self.all(event)) >= count, _WITHIN_S)
        return self.all(event)

    def all(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]

    async def get(self, path: str) -> str:
        return await asyncio.to_thread(lambda: urllib.request.urlopen(f"{self.url}/{path}").read().decode())

    async def stats(self, true: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        """Return the stats once they are as they should be."""
        async with asyncio.timeout(_WITHIN_S):
            for _ in itertools.count():
                stats: dict[str, Any] = json.loads(await self.get("stats"))
                if true(stats):
                    break
                await asyncio.sleep(0.1)
        return stats

    async def end(self) -> dict[str, Any]:
        """Return the account once the run has ended."""
        async with asyncio.timeout(_WITHIN_S):
            await self.process.wait()
        (account,) = await self.said("account")
        return account


@asynccontextmanager
async def running(folder: Path, simulation: Simulation, dsn: str, wanted: Sequence[str] = TRADES) -> AsyncIterator[Run]:
    """Run `jrr run --workers 2` in the folder from its readiness to the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "jrr.toml").write_text(f"""
        plugins = ["binance", "postgres"]
        subscribe = {json.dumps(wanted)}
        [run]
        workers = 2
        [metrics]
        listen = "127.0.0.1:{port}"
        symbols = ["*"]
        [exchanges.binance-usdm]
        ws_url = "{simulation.ws_urls["binance-usdm"]}"
        rest_url = "{simulation.rest_urls["binance-usdm"]}"
        [sinks.postgres]
        dsn = "{dsn}"
    """)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("DB_", "PG", "JRR_"))}
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.setblocking(False)
    notified.bind(str(folder / "notify"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from jrr_core.cli import main; main()", "run", "--log-format", "json", cwd=folder,
        env={**environ, "NOTIFY_SOCKET": str(folder / "notify")}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    run = Run(process, f"http://127.0.0.1:{port}", notified)

    async def listen() -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            run.lines.append(json.loads(line))

    listening = asyncio.create_task(listen())
    try:
        await until((folder / ".jrr" / "control.sock").exists, _WITHIN_S)
        yield run
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await listening
        notified.close()
        print(*run.lines, sep="\n")


def together(parts: Sequence[str]) -> list[Subscription]:
    return [Subscription.parse(text) for text in parts]


def everything_stored(stats: Mapping[str, Any]) -> bool:
    streams = [stream for each in stats["exchanges"].values() for stream in each["streams"]]
    return (
        len(streams) == len(TRADES) and all(s["count"] for s in streams) and stats["sinks"]["postgres"]["written"] > 0
    )


async def whole(store: PostgresSink, truth: Truth) -> None:
    assert await truth.compare_store(store, together(TRADES)) == []
    assert {(r.state, r.reason) for r in await store.coverage()} == {("complete", "stopped")}


def test_two_workers_are_one_collector_whose_account_is_the_markets(dsn: str, tmp_path: Path) -> None:
    async def collect() -> None:
        async with simulated(["binance-usdm"], rate=300, truth_file=tmp_path / "truth.jsonl") as simulation:
            async with running(tmp_path, simulation, dsn) as run:
                stats = await run.stats(lambda stats: everything_stored(stats) and len(stats["workers"]) == 2)
                assert [worker["state"] for worker in stats["workers"]] == ["running", "running"]
                assert sorted(s["symbol"] for s in stats["exchanges"]["binance-usdm"]["streams"]) == [
                    "BTCUSDT",
                    "ETHUSDT",
                ]
                assert json.loads(await run.get("readyz"))["ready"]
                shown = await asyncio.to_thread(CliRunner().invoke, main, ["top", run.url, "--once", "--every", "0.2"])
                assert {"BTCUSDT", "ETHUSDT"} <= set(shown.output.split())
                # To systemd it is one process.
                assert run.notified.recv(1000).startswith(b"READY=1\nSTATUS=")
                metrics = await run.get("metrics")
                series = [line.rpartition(" ")[0] for line in metrics.splitlines() if not line.startswith("#")]
                assert len(series) == len(set(series))
                assert "jrr_workers 2.0" in metrics
                assert {line["worker"] for line in run.all("connected")} == {1, 2}
                run.process.terminate()
                account = await run.end()
                assert run.process.returncode == 0
            truth = await simulation.stop()
        store = PostgresSink(StorageConfig(dsn=dsn))
        await whole(store, truth)
        sink, exchange = account["sinks"]["postgres"], account["exchanges"]["binance-usdm"]
        assert account["failings"] == []
        assert sink["published"] == sink["written"] + sink["duplicate"]
        assert exchange["frames"] == exchange["parsed"] + exchange["control"] + exchange["rejected"]
        assert exchange["events"]["trade"] == sum((await store.counts()).values())
        assert not list((tmp_path / ".jrr").glob("*.sock"))

    asyncio.run(collect())


def test_a_killed_worker_comes_back_and_fetches_what_it_missed(dsn: str, tmp_path: Path) -> None:
    async def collect() -> None:
        async with simulated(["binance-usdm"], rate=300, truth_file=tmp_path / "truth.jsonl") as simulation:
            async with running(tmp_path, simulation, dsn) as run:
                stats = await run.stats(everything_stored)
                before = stats["exchanges"]["binance-usdm"]["frames"]
                os.kill(stats["workers"][1]["pid"], signal.SIGKILL)
                (died,) = await run.said("worker_died")
                assert (died["worker"], died["reason"]) == (2, "killed by SIGKILL")
                await run.said("worker_started", 3)
                await run.stats(lambda stats: stats["workers"][1]["state"] == "running")
                await run.stats(lambda stats: stats["exchanges"]["binance-usdm"]["sessions"] == 2)
                after = await run.stats(lambda stats: stats["exchanges"]["binance-usdm"]["missing"] > 0)
                await run.stats(
                    lambda s: s["exchanges"]["binance-usdm"]["missing"] == s["exchanges"]["binance-usdm"]["backfilled"]
                )
                assert after["exchanges"]["binance-usdm"]["frames"] > before
                assert 'jrr_worker_restarts_total{worker="2"} 1.0' in await run.get("metrics")
                run.process.terminate()
                account = await run.end()
                assert run.process.returncode == 1
                (failing,) = account["failings"]
                assert failing.startswith("worker 2: 1 times its process died")
            truth = await simulation.stop()
        sink = account["sinks"]["postgres"]
        assert sink["published"] == sink["written"] + sink["duplicate"]
        verdict = await judge(truth, PostgresSink(StorageConfig(dsn=dsn)), together(TRADES), numberings=NUMBERINGS)
        assert verdict.clean, verdict.findings
        assert verdict.stored == verdict.sent - verdict.outside
        assert verdict.backfilled

    asyncio.run(collect())


def test_commands_reach_the_worker_that_has_the_stream(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def typed(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["ctl", *words])
        return result.exit_code, result.output

    async def collect() -> None:
        async with (
            simulated(["binance-usdm"], rate=100) as simulation,
            running(tmp_path, simulation, dsn, [TRADES[0]]) as run,
        ):

            async def ctl(*words: str) -> tuple[int, str]:
                return await asyncio.to_thread(typed, *words)

            code, said = await ctl("subscribe", TRADES[1], "binance-usdm:candle_1m:BTCUSDT")
            assert (code, said.count("1 streams"), "2 streams new" in said) == (0, 2, True)
            assert (await ctl("subscribe", "binance-usdm:trade:NOTHERE"))[0] == 2
            assert "3 streams new" in (await ctl("subscribe", "binance-usdm:quote:*USDT"))[1]
            # One of either worker, both by the pattern.
            quotes = ("binance-usdm:quote:BTCUSDT", "binance-usdm:quote:ETHUSDT")
            assert await ctl("unsubscribe", *quotes) == (0, "2 streams ended\n")
            code, said = await ctl("unsubscribe", TRADES[1], "binance-usdm:book:ETHUSDT")
            assert (code, "is not subscribed" in said) == (2, True)
            listed = json.loads((await ctl("list", "--json"))[1])
            os.kill(json.loads(await run.get("stats"))["workers"][1]["pid"], signal.SIGKILL)
            await run.said("worker_started", 3)
            await run.stats(lambda stats: all(worker["state"] == "running" for worker in stats["workers"]))
            assert json.loads((await ctl("list", "--json"))[1]) == listed
            assert "nothing differs" in (await ctl("reload"))[1]
            text = (tmp_path / "jrr.toml").read_text()
            (tmp_path / "jrr.toml").write_text(text.replace(TRADES[0], "binance-usdm:mark_price:ETHUSDT"))
            run.process.send_signal(signal.SIGHUP)
            (reloaded,) = (await run.said("reloaded", 2))[1:]
            assert reloaded["subscribed"] == ["binance-usdm:mark_price:ETHUSDT"]
            assert reloaded["unsubscribed"] == [TRADES[0]]
            assert "2 workers, 1 restarts; of processes that died" in (await ctl("status"))[1]
            assert await ctl("stop") == (0, "the collector is stopping\n")
            await run.end()

    asyncio.run(collect())


def test_a_store_of_one_writer_is_refused_once_for_all_workers(tmp_path: Path) -> None:
    async def collect() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "from jrr_core.cli import main; main()", "run", "--workers", "2",
            "--subscribe", TRADES[0], "--set", "metrics.listen=", cwd=tmp_path, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await process.communicate()
        assert process.returncode == 2
        assert said.count(b"error: ") == 1
        assert b"sink sqlite: its store takes one writing process at a time" in said

    asyncio.run(collect())


def test_a_second_signal_stops_at_once_what_waits_for_a_store(tmp_path: Path) -> None:
    async def collect() -> None:
        async with (
            simulated(["binance-usdm"], rate=300) as simulation,
            running(tmp_path, simulation, "postgresql://nobody@127.0.0.1:1/none") as run,
        ):
            await run.stats(lambda stats: stats["sinks"]["postgres"]["published"] > 10)
            run.process.terminate()
            began = asyncio.get_running_loop().time()
            await asyncio.sleep(0.3)
            run.process.terminate()
            account = await run.end()
            # Long before run.stop_timeout_s.
            assert asyncio.get_running_loop().time() - began < 8
            assert run.process.returncode == 1
            sink = account["sinks"]["postgres"]
            assert sink["published"] == sink["spooled"] > 10
            assert {folder.name for folder in tmp_path.glob("spool-*")} == {"spool-w1", "spool-w2"}

    asyncio.run(collect())


def test_workers_end_in_order_when_their_parent_is_killed(dsn: str, tmp_path: Path) -> None:
    async def collect() -> None:
        async with simulated(["binance-usdm"], rate=300, truth_file=tmp_path / "truth.jsonl") as simulation:
            async with running(tmp_path, simulation, dsn) as run:
                stats = await run.stats(everything_stored)
                pids = [worker["pid"] for worker in stats["workers"]]
                run.process.kill()
                await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), _WITHIN_S)
            truth = await simulation.stop()
        await whole(PostgresSink(StorageConfig(dsn=dsn)), truth)

    asyncio.run(collect())
