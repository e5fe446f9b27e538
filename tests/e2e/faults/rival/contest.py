"""jrr and cryptofeed side by side: the same simulated Binance, the same PostgreSQL server, the same fault, at once.

Every contestant has a database of its own. Counted are the trades that the
market made from the moment all of them were storing until it came to rest, by
trade id, so that nobody is charged for starting later.
"""

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from attrs import define
from jrr_postgres.testing import Home, Server, connected, execute, fetch
from jrr_postgres.testing.server import StopMode

from jrr_core.events import Trade
from jrr_core.testing.child import simulated
from jrr_core.testing.truth import Truth

from ..collector import Collector, toml

SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT")
# The simulated market makes about this many aggregated trades per step.
TRADES_PER_STEP = 0.235
WARM_S = 10.0
_START_S = 30.0
_SETTLED_S = 2.0
_SETTLE_AT_MOST_S = 30.0
_END_S = 30.0
_SCRIPT = Path(__file__).with_name("cryptofeed_collector.py")
# As its examples make the table, with the key that lets its ON CONFLICT find a repeated trade.
_TABLE = """CREATE TABLE trades (
    id bigserial PRIMARY KEY, timestamp timestamptz, receipt_timestamp timestamptz, exchange varchar(32),
    symbol varchar(32), side varchar(8), amount numeric(64, 32), price numeric(64, 32), trade_id varchar(64),
    order_type varchar(32), UNIQUE (exchange, symbol, trade_id))"""

Ids = dict[str, list[int]]
"""Trade ids by symbol."""


class Contestant(Protocol):
    """One collector in the contest."""

    name: str
    database: str

    async def start(self, server: Server, ws_url: str, rest_url: str, folder: Path) -> None:
        """Begin to collect the trades of SYMBOLS."""

    @property
    def running(self) -> bool:
        """Whether its process is there."""

    async def stop(self) -> Mapping[str, Any]:
        """End it in order and return its own account."""

    async def refuse(self, server: Server, symbol: str, trade_id: int) -> None:
        """Have its table refuse one trade."""

    async def stored(self, server: Server) -> Ids:
        """Return the ids of all trades stored, as often as they are stored."""

    async def told(self, server: Server, account: Mapping[str, Any]) -> int:
        """Return how many trades its store or its account says are missing."""


@define
class Jrr:
    """jrr at its defaults."""

    name: str = "jrr"
    database: str = "by_jrr"
    _collector: Collector | None = None

    async def start(self, server: Server, ws_url: str, rest_url: str, folder: Path) -> None:
        """Begin to collect the trades of SYMBOLS."""
        wanted = [f"binance:{symbol.lower()}@aggTrade" for symbol in SYMBOLS]
        sink = ["[sinks.postgres]", f'dsn = "{server.dsn(self.database)}"', "compact = false"]
        (folder / "jrr.toml").write_text(toml({"binance": (ws_url, rest_url)}, wanted, "postgres", sink))
        self._collector = Collector(folder)
        await self._collector.start()

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._collector is not None and self._collector.running

    async def stop(self) -> Mapping[str, Any]:
        """End it in order and return its own account."""
        assert self._collector is not None
        account = await self._collector.stop()
        return {"failings": account.get("failings"), **account.get("sinks", {}).get("postgres", {})}

    async def refuse(self, server: Server, symbol: str, trade_id: int) -> None:
        """Have its table refuse one trade."""
        stream = f"SELECT id FROM jrr.streams WHERE symbol = '{symbol}' AND part = 'agg'"
        ((number,),) = await fetch(server.dsn(self.database), stream)
        await execute(server.dsn(self.database), "ALTER TABLE jrr.stored_trades ADD CONSTRAINT one_bad_row "
                      f"CHECK (stream <> {number} OR trade_id <> {trade_id})")  # fmt: skip

    async def stored(self, server: Server) -> Ids:
        """Return the ids of all trades stored, as often as they are stored."""
        return await _ids(server.dsn(self.database), "SELECT symbol, trade_id FROM jrr.trades")

    async def told(self, server: Server, account: Mapping[str, Any]) -> int:
        """Return how many trades the store says are missing, and those refused and kept aside."""
        query = "SELECT coalesce(sum(missing), 0) FROM jrr.coverage WHERE state = 'gap'"
        ((number,),) = await fetch(server.dsn(self.database), query)
        return int(number) + int(account.get("quarantined", 0))


@define
class Cryptofeed:
    """cryptofeed with these options of its PostgreSQL backend."""

    name: str
    database: str
    backend: Mapping[str, Any]
    python: Path
    _process: asyncio.subprocess.Process | None = None

    async def start(self, server: Server, ws_url: str, rest_url: str, folder: Path) -> None:
        """Begin to collect the trades of SYMBOLS."""
        await execute(server.dsn(self.database), _TABLE)
        given = {
            "ws_url": ws_url, "rest_url": rest_url, "host": "127.0.0.1", "port": server.port, "user": "postgres",
            "database": self.database, "backend": dict(self.backend),
            "symbols": [f"{symbol.removesuffix('USDT')}-USDT" for symbol in SYMBOLS],
        }  # fmt: skip
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "PYTHON"))}
        with (folder / "log.txt").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(self.python), str(_SCRIPT), json.dumps(given), cwd=folder,
                env={**inherited, "XDG_CACHE_HOME": str(folder)}, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.returncode is None

    async def stop(self) -> Mapping[str, Any]:
        """End it in order and return its own account."""
        assert self._process is not None
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_END_S):
                said, _ = await self._process.communicate()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            return {"last_error": f"did not end within {_END_S:g} s of SIGTERM"}
        lines = said.decode().splitlines()
        found: dict[str, Any] = json.loads(lines[-1]) if lines else {}
        return found

    async def refuse(self, server: Server, symbol: str, trade_id: int) -> None:
        """Have its table refuse one trade."""
        spelt = f"{symbol.removesuffix('USDT')}-USDT"
        await execute(server.dsn(self.database), "ALTER TABLE trades ADD CONSTRAINT one_bad_row "
                      f"CHECK (symbol <> '{spelt}' OR trade_id <> '{trade_id}')")  # fmt: skip

    async def stored(self, server: Server) -> Ids:
        """Return the ids of all trades stored, as often as they are stored."""
        return await _ids(server.dsn(self.database), "SELECT replace(symbol, '-', ''), trade_id FROM trades")

    async def told(self, server: Server, account: Mapping[str, Any]) -> int:
        """Return how many rows its backend counted as dropped; its store has no place to say so."""
        return int(account.get("dropped_overflow", 0)) + int(account.get("dropped_failed", 0))


@define
class Stage:
    """What a trial's fault may act on."""

    server: Server
    contestants: Sequence[Contestant]

    async def outage(self, mode: StopMode, seconds: float) -> None:
        """Stop the server for so long; `mode` "fast" ends its clients in order, "immediate" is a crash."""
        await asyncio.to_thread(self.server.stop, mode)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self.server.start)

    async def bad_row(self) -> None:
        """Have every contestant's table refuse the same trade, one that is yet to come."""
        latest = [max((await each.stored(self.server))[SYMBOLS[0]]) for each in self.contestants]
        for each in self.contestants:
            await each.refuse(self.server, SYMBOLS[0], max(latest) + 2_000)


@define(frozen=True)
class Trial:
    """One fault. `faults` are the simulator's, `act` what is done WARM_S after all store; the market lives `run_s`."""

    name: str
    run_s: float
    faults: Mapping[str, str] = {}
    act: Callable[[Stage], Awaitable[None]] | None = None


def outage(mode: StopMode, seconds: float) -> Callable[[Stage], Awaitable[None]]:
    """Return the act of stopping PostgreSQL."""
    return lambda stage: stage.outage(mode, seconds)


# The reset and the stall strike the first connection of each and no later one; a stall takes cryptofeed up to 150 s.
TRIALS = (
    Trial("no fault", 30),
    Trial("PostgreSQL stopped 10 s", 50, act=outage("fast", 10)),
    Trial("PostgreSQL killed, back after 10 s", 50, act=outage("immediate", 10)),
    Trial("PostgreSQL stopped 30 s", 80, act=outage("fast", 30)),
    Trial("PostgreSQL killed, back after 30 s", 80, act=outage("immediate", 30)),
    Trial("socket reset", 45, {"reset": "15", "until": "28"}),
    Trial("silent stall", 190, {"silence": "15", "until": "28"}),
    Trial("one frame in 1,000 twice", 30, {"duplicate": "0.001"}),
    Trial("one trade in 1,000 not delivered", 30, {"drop_trades": "0.001"}),
    Trial("one bad row", 40, act=lambda stage: stage.bad_row()),
)


@define(frozen=True)
class Score:
    """What became of one contestant in one trial.

    `missing` trades are not in its store, `twice` are there more than once.
    `told` is how many of the missing it knows of: its store says so, or its
    own counters. `ended`: its process was gone before it was told to end.
    """

    trial: str
    contestant: str
    sent: int
    missing: int
    told: int
    twice: int
    ended: bool
    account: Mapping[str, Any]


def contestants(python: Path | None) -> list[Contestant]:
    """Return jrr, and cryptofeed at its defaults and tuned to lose least, where there is a Python for it."""
    found: list[Contestant] = [Jrr()]
    if python is not None:
        tuned = {"overflow": "block", "batch_max": 5000}
        found.append(Cryptofeed("cryptofeed, defaults", "by_defaults", {}, python))
        found.append(Cryptofeed("cryptofeed, tuned", "by_tuned", tuned, python))
    return found


async def hold(trial: Trial, rate: float, home: Home, python: Path | None) -> list[Score]:
    """Run one trial and return how each contestant fared; `rate` is trades per second."""
    server = await asyncio.to_thread(home.new)
    stage = Stage(server, contestants(python))
    try:
        with tempfile.TemporaryDirectory(prefix="jrr-contest-") as text:
            folder = Path(text)
            for each in stage.contestants:
                await execute(server.dsn(), f'CREATE DATABASE "{each.database}"')
            async with simulated(["binance"], rate=rate / TRADES_PER_STEP, run_s=trial.run_s, faults=trial.faults,
                                 truth_file=folder / "truth.jsonl") as simulation:  # fmt: skip
                place = simulation.ws_urls["binance"], simulation.rest_urls["binance"]
                await asyncio.gather(*(_start(each, server, *place, folder) for each in stage.contestants))
                if trial.act is not None:
                    await asyncio.sleep(WARM_S)
                    await trial.act(stage)
                await simulation.quiet()
                await _settle(stage)
                ended = [not each.running for each in stage.contestants]
                accounts = await asyncio.gather(*(each.stop() for each in stage.contestants))
                truth = await simulation.stop()
            return await _scores(trial, stage, truth, ended, accounts)
    finally:
        await asyncio.to_thread(home.remove, server)


async def _start(each: Contestant, server: Server, ws_url: str, rest_url: str, folder: Path) -> None:
    """Start one and return when it stores trades of every symbol."""
    own = folder / each.database
    own.mkdir()
    await each.start(server, ws_url, rest_url, own)
    async with asyncio.timeout(_START_S):
        while True:
            with contextlib.suppress(Exception):  # the tables may not be there yet
                if len(await each.stored(server)) == len(SYMBOLS):
                    return
            await asyncio.sleep(0.2)


async def _settle(stage: Stage) -> None:
    """Return when no contestant has stored anything new for a while."""
    loop = asyncio.get_running_loop()
    begun = since = loop.time()
    last: list[int] = []
    while loop.time() - begun < _SETTLE_AT_MOST_S and loop.time() - since < _SETTLED_S:
        now = [sum(map(len, (await each.stored(stage.server)).values())) for each in stage.contestants]
        if now != last:
            last, since = now, loop.time()
        await asyncio.sleep(0.2)


async def _scores(
    trial: Trial, stage: Stage, truth: Truth, ended: Sequence[bool], accounts: Sequence[Mapping[str, Any]]
) -> list[Score]:
    stored = [await each.stored(stage.server) for each in stage.contestants]
    made = _made(truth)
    sent = {
        symbol: set(range(max(min(ids.get(symbol, [first])) for ids in stored), last + 1))
        for symbol, (first, last) in made.items()
    }
    scores = []
    for each, ids, over, account in zip(stage.contestants, stored, ended, accounts, strict=True):
        missing = sum(len(numbers - set(ids.get(symbol, ()))) for symbol, numbers in sent.items())
        told = min(missing, await each.told(stage.server, account))
        twice = sum(len(numbers) - len(set(numbers)) for numbers in ids.values())
        total = sum(map(len, sent.values()))
        scores.append(Score(trial.name, each.name, total, missing, told, twice, over, account))
    return scores


def _made(truth: Truth) -> dict[str, tuple[int, int]]:
    """Return the first and the last id of the market's aggregated trades by symbol; their numbering has no holes."""
    found: Ids = {}
    for event in truth.events:
        if isinstance(event, Trade) and event.id_space == "agg":
            found.setdefault(event.symbol, []).append(int(event.trade_id or 0))
    return {symbol: (min(ids), max(ids)) for symbol, ids in found.items()}


async def _ids(dsn: str, query: str) -> Ids:
    found: Ids = {}
    async with connected(dsn) as connection:
        for symbol, trade_id in await connection.fetch(query):
            found.setdefault(symbol, []).append(int(trade_id))
    return found


async def contest(rate: float, python: Path | None, trials: Sequence[Trial] = TRIALS) -> list[Score]:
    """Hold all trials one after another; without `python` jrr is alone."""
    with Home() as home:
        return [score for trial in trials for score in await hold(trial, rate, home, python)]
