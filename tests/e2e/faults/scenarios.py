"""Every fault, alone: what the simulated exchanges do, what is done to PostgreSQL, and what is done to jrr itself."""

import asyncio
import os
import signal
from collections.abc import Sequence

from jrr_postgres.testing import connected, fetch

from .kept import PostgresKept, fill
from .stage import Act, Scenario, Stage

# Exchanges of the runs of all; any whose plugin has a simulator may take their place.
ALL = tuple(os.environ.get("JRR_FAULTS_EXCHANGES", "binance,binance-usdm,okx").split(","))
BINANCE = ("binance", "binance-usdm")
_BEFORE_S = 3.0
# A connection without a frame for so long is dead: short, so that a run shows it.
SOON_STALE = {"stale_s": 4.0}


def outage(seconds: float, mode: str = "fast", before_s: float = _BEFORE_S) -> Act:
    """Return the act of stopping PostgreSQL for so long; `mode` "immediate" is a crash."""

    async def act(stage: Stage) -> None:
        await asyncio.sleep(before_s)
        await asyncio.to_thread(stage.kept.server.stop, mode)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(stage.kept.server.start)
        stage.over()

    return act


async def restart_within_copy(stage: Stage) -> None:
    """Crash the server while a COPY of the collector's is held up by a lock, so that it is surely in the middle."""
    await asyncio.sleep(_BEFORE_S)
    kept: PostgresKept = stage.kept
    async with connected(kept.dsn) as connection:
        await connection.execute("BEGIN")
        await connection.execute("LOCK TABLE jrr.stored_trades IN SHARE MODE")
        await busy_backend(kept)
        await asyncio.to_thread(kept.server.restart, "immediate")
    stage.over()


async def kill_backend(stage: Stage) -> None:
    """Kill the server process that stores for the collector; PostgreSQL then restarts all of its own accord."""
    await asyncio.sleep(_BEFORE_S)
    os.kill(await busy_backend(stage.kept), signal.SIGKILL)
    stage.over()


async def cut_within_copy(stage: Stage) -> None:
    """Reset the line to the server after some bytes of a COPY, and once more."""
    for count in (20_000, 70_000):
        await asyncio.sleep(_BEFORE_S)
        await asyncio.to_thread(stage.kept.line.cut_after, stage.random.randrange(count))
    await asyncio.sleep(1.0)
    stage.over()


async def busy_backend(kept: PostgresKept) -> int:
    """Return the process id of a server process of the collector's that works just now."""
    query = "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND state = 'active' AND pid <> pg_backend_pid()"
    async with asyncio.timeout(20):
        while True:
            found = await fetch(kept.dsn, query, kept.database)
            if found:
                return int(found[0][0])
            await asyncio.sleep(0.005)


async def full_disk(stage: Stage) -> None:
    """Fill the disk of the store for five seconds."""
    await asyncio.sleep(_BEFORE_S)
    disk = stage.kept.disk
    ballast = await asyncio.to_thread(fill, disk)
    await asyncio.sleep(5.0)
    ballast.unlink()
    stage.over()


def end_collector(times: int, how: str, away_s: float = 2.0, before_s: float = _BEFORE_S) -> Act:
    """Return the act of ending jrr at random moments by "kill" or "stop", and starting it again after `away_s`."""

    async def act(stage: Stage) -> None:
        for _ in range(times):
            await asyncio.sleep(before_s + stage.random.random() * 2)
            await (stage.collector.kill() if how == "kill" else stage.stop_collector())
            await asyncio.sleep(away_s)
            await stage.collector.start()
        stage.over()

    return act


def both(*acts: Act) -> Act:
    """Return the act of doing one after another."""

    async def act(stage: Stage) -> None:
        for each in acts:
            await each(stage)

    return act


async def kill_while_away(stage: Stage) -> None:
    """Stop PostgreSQL, kill jrr while it is away, start both again: what was on disk then must come back."""
    await asyncio.sleep(_BEFORE_S)
    await asyncio.to_thread(stage.kept.server.stop, "fast")
    await asyncio.sleep(4.0)
    await stage.collector.kill()
    await asyncio.to_thread(stage.kept.server.start)
    await stage.collector.start()
    stage.over()


def freeze(seconds: float) -> Act:
    """Return the act of stopping the collector's process for so long: it reads nothing, as a slow consumer."""

    async def act(stage: Stage) -> None:
        await asyncio.sleep(_BEFORE_S)
        stage.collector.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        stage.collector.signal(signal.SIGCONT)
        stage.over()

    return act


async def set_clock_back(stage: Stage) -> None:
    """Set the collector's clock back by 90 s."""
    await asyncio.sleep(_BEFORE_S)
    stage.collector.signal(signal.SIGUSR1)
    stage.over()


SCENARIOS: Sequence[Scenario] = (
    Scenario("none", faults_s=1.0, run_s=12.0, exchanges=ALL),
    Scenario("socket reset", {"reset": "5"}, 12.0, exchanges=ALL),
    Scenario("half-open silence", {"silence": "5"}, 11.0, exchanges=ALL, run_s=28.0, settings=SOON_STALE),
    Scenario("close frame", {"close": "5"}, 12.0, exchanges=ALL),
    Scenario("refused reconnects for 20 s", {"reset": "5", "refuse": "20"}, 50.0, exchanges=ALL, run_s=80.0),
    Scenario("frames dropped (1 %)", {"drop": "0.01"}, 12.0, exchanges=ALL),
    Scenario("frames twice (2 %)", {"duplicate": "0.02"}, 12.0, exchanges=ALL),
    Scenario("frames out of order (2 %)", {"reorder": "0.02"}, 12.0, exchanges=ALL),
    Scenario("garbage frames (1 %)", {"garbage": "0.01"}, 12.0, exchanges=ALL),
    Scenario("trades withheld (1 %)", {"drop_trades": "0.01"}, 12.0, exchanges=BINANCE),
    Scenario("book chain broken", {"break_chain": "0.02"}, 12.0, exchanges=BINANCE),
    Scenario("book chain broken", {"gap": "0.02"}, 12.0, exchanges=("okx",)),
    Scenario("stale depth snapshot", {"stale_snapshot": "3", "break_chain": "0.01"}, 12.0, exchanges=BINANCE),
    Scenario("418 on REST", {"rest_418": "2", "reset": "5"}, 12.0, exchanges=BINANCE, run_s=25.0),
    Scenario("429 on REST", {"rest_429": "3", "reset": "5"}, 12.0, exchanges=ALL, run_s=25.0),
    Scenario("503 on REST (30 %)", {"rest_503": "0.3", "reset": "5"}, 12.0, exchanges=ALL, run_s=25.0),
    Scenario("stale REST", {"stale_rest": "3", "reset": "5"}, 12.0, exchanges=("okx",), run_s=25.0),
    Scenario("one of two lines reset", {"reset": "4", "every": "2"}, 12.0, exchanges=ALL, settings={"redundancy": 2}),
    Scenario("serverShutdown", {"shutdown_notice": "5"}, 12.0, exchanges=("binance",)),
    Scenario("closed as after 24 hours", {"close_after": "5"}, 12.0, exchanges=BINANCE),
    Scenario("late answers to subscribe", {"late-ack": "1"}, 12.0, exchanges=("okx",)),
    Scenario("used-up trade ids", {"na_trades": "0.02"}, 12.0, exchanges=("binance-usdm",)),
    Scenario("service notice 64008", {"notice": "5", "notice-close": "5"}, 12.0, exchanges=("okx",)),
    Scenario("maintenance reset", {"maintenance": "4"}, 12.0, exchanges=("okx",)),
    Scenario("slow consumer", act=freeze(6.0), run_s=22.0, exchanges=ALL),
    Scenario("stream on the wrong path", {"silent_stream": "ethusdt@aggTrade"}, 12.0, exchanges=("binance-usdm",),
             silent=("binance-usdm:trade:ETHUSDT",), until=False, settings={"first_data_s": 5.0}),
    Scenario("PostgreSQL stopped 5 s", act=outage(5), run_s=25.0, exchanges=ALL, stores=("postgres",)),
    Scenario("PostgreSQL stopped 20 s", act=outage(20), run_s=42.0, exchanges=ALL, stores=("postgres",)),
    Scenario("PostgreSQL stopped 60 s", act=outage(60), run_s=85.0, exchanges=ALL, stores=("postgres",)),
    Scenario("PostgreSQL crashed, back after 5 s", act=outage(5, "immediate"), run_s=25.0, exchanges=ALL,
             stores=("postgres",)),
    Scenario("PostgreSQL restarted within a COPY", act=restart_within_copy, exchanges=ALL, stores=("postgres",)),
    Scenario("its line cut within a COPY", act=cut_within_copy, exchanges=ALL, stores=("postgres",)),
    Scenario("its backend killed", act=kill_backend, exchanges=ALL, stores=("postgres",)),
    Scenario("disk of the store full 5 s", act=full_disk, run_s=25.0, exchanges=ALL, small=True),
    Scenario("jrr killed twice", act=end_collector(2, "kill"), run_s=28.0, exchanges=ALL),
    Scenario("jrr stopped twice", act=end_collector(2, "stop"), run_s=28.0, exchanges=ALL),
    Scenario("jrr killed while PostgreSQL is away", act=kill_while_away, run_s=25.0, exchanges=ALL,
             stores=("postgres",)),
    Scenario("clock set back 90 s", act=set_clock_back, exchanges=ALL, clock=True),
)  # fmt: skip

# What `make test` can afford: several faults at once, into each store.
SHORT: Sequence[tuple[Scenario, str]] = (
    (
        Scenario("several faults, jrr killed once",
                 {"reset": "2.5", "duplicate": "0.02", "reorder": "0.02", "garbage": "0.01", "rest_429": "1"}, 5.0,
                 end_collector(1, "kill", 0.5, 1.0), 10.0, ("binance", "okx")),
        "sqlite",
    ),
    (
        Scenario("several faults, PostgreSQL stopped 2 s", {"drop": "0.01", "close": "2.5"}, 6.5,
                 outage(2.0, before_s=1.0), 10.0, ("binance-usdm",)),
        "postgres",
    ),
)  # fmt: skip
