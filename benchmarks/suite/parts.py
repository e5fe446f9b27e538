"""The parts of the benchmark, (a) to (g): which contestants read which loads, and in which order.

In every repetition all contestants of a load take their turn on one server,
so that what disturbs the machine disturbs all of them.
"""

import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

from attrs import define
from jrr_postgres.testing import Home, Server, execute

from .contestants import Contestant, Place, floor, jrr, rival
from .feeds import EXCHANGES, Load
from .measure import saturate
from .process import LoadServer
from .results import Results, Row

EXCHANGE_LOADS = tuple(itertools.product(("binance", "okx"), ("trade", "depth", "mixed")))
TRANSPORTS = ("websockets", "picows")
FLOORS = ("websockets", "jrr's websockets", "picows")
# As its documentation makes them; the keys let its ON CONFLICT find what comes twice.
_COMMON = "id bigserial PRIMARY KEY, timestamp timestamptz, receipt_timestamp timestamptz, exchange text, symbol text"
RIVAL_TABLES = (
    f"CREATE TABLE trades ({_COMMON}, side text, amount numeric(64, 32), price numeric(64, 32), trade_id text, "
    "order_type text, UNIQUE (exchange, symbol, trade_id))",
    f"CREATE TABLE book ({_COMMON}, data jsonb)",
    f"CREATE TABLE candles ({_COMMON}, candle_start timestamptz, candle_stop timestamptz, interval text, trades int, "
    "open numeric(64, 32), close numeric(64, 32), high numeric(64, 32), low numeric(64, 32), volume numeric(64, 32), "
    "closed boolean)",
)
TUNED = {"overflow": "block", "batch_max": 5000}


@define(frozen=True)
class Setting:
    """What a benchmark is given: how often, how long (s), cryptofeed's Python or None, and whether in a hurry."""

    runs: int
    seconds: float
    python: Path | None
    quick: bool = False

    @property
    def latency_s(self) -> float:
        """How long latency is measured, the first half second left out."""
        return max(1.0, 2 * self.seconds)

    @property
    def loads(self) -> Sequence[tuple[str, str]]:
        """The exchanges and loads that are measured."""
        return (("binance", "trade"), ("binance", "depth")) if self.quick else EXCHANGE_LOADS


def null_sinks(exchange: str, load: str) -> list[Contestant]:
    """(a): the floors, where they tell something, and jrr into a sink that forgets."""
    floors = []
    if exchange == "binance" and load != "mixed":
        floors += [floor(transport, False) for transport in ("asyncio", *FLOORS)]
    if load != "mixed":
        floors += [floor(transport, True) for transport in FLOORS]
    return floors + [jrr("null", transport) for transport in TRANSPORTS]


def callbacks(exchange: str, load: str) -> list[Contestant]:
    """(b): subscribers that do nothing."""
    return [*(jrr("callback", transport) for transport in TRANSPORTS), rival("callback")]


def kept_books(exchange: str, load: str) -> list[Contestant]:
    """(b'): subscribers that keep the book and read its best ten levels on each message."""
    return [*(jrr("book", transport) for transport in TRANSPORTS), rival("book")] if load == "depth" else []


def sqlite(exchange: str, load: str) -> list[Contestant]:
    """(c): into SQLite."""
    return [jrr("sqlite", "auto")]


def postgres(exchange: str, load: str) -> list[Contestant]:
    """(d): into PostgreSQL, committed."""
    return [
        jrr("postgres", "auto"),
        rival("postgres", "cryptofeed, defaults", backend={}),
        rival("postgres", "cryptofeed, tuned", backend=TUNED),
    ]


SATURATIONS: dict[str, Sequence[tuple[str, Callable[[str, str], list[Contestant]]]]] = {
    "a": [("socket to null sink", null_sinks)],
    "b": [("socket to callback", callbacks), ("book kept, top 10 read", kept_books)],
    "c": [("socket to SQLite", sqlite)],
    "d": [("socket to PostgreSQL", postgres)],
}


@contextlib.contextmanager
def database_server(needed: bool = True) -> Iterator[Server | None]:
    """Lend a PostgreSQL server that keeps what it commits and remembers when; None where none is needed."""
    if not needed:
        yield None
        return
    with Home() as home:
        yield home.new(fsync=True, settings={"track_commit_timestamp": "on"})


@contextlib.asynccontextmanager
async def place(load: Load, port: int, server: Server | None, name: str) -> AsyncIterator[Place]:
    """Lend a folder, and a fresh database where there is a server."""
    with tempfile.TemporaryDirectory(prefix="jrr-bench-") as folder:
        if server is None:
            yield Place(load, port, Path(folder))
            return
        await execute(server.dsn(), f'CREATE DATABASE "{name}"')
        try:
            await execute(server.dsn(name), *RIVAL_TABLES)
            yield Place(load, port, Path(folder), server.dsn(name))
        finally:
            await execute(server.dsn(), f'DROP DATABASE "{name}" WITH (FORCE)')


async def saturated(part: str, setting: Setting, results: Results) -> None:
    """Run a part at full speed: every load, every repetition, every contestant in turn."""
    # A store's batches want more of them than a callback's.
    seconds = setting.seconds * (2 if part == "d" else 1)
    with database_server(part == "d") as server:
        for exchange, kind in setting.loads:
            load = Load(EXCHANGES[exchange], kind)
            async with LoadServer(exchange, kind) as serving:
                for run in range(setting.runs):
                    for cell, contestants in SATURATIONS[part]:
                        for each in contestants(exchange, kind):
                            if each.client == "rival" and setting.python is None:
                                continue
                            row = Row(part, cell, exchange, kind, each.name)
                            async with place(load, serving.port, server, f"bench_{run}") as here:
                                try:
                                    found = await saturate(each, serving, here, seconds, setting.python)
                                except (RuntimeError, TimeoutError) as error:
                                    results.fail(row, error, here.folder / "client.log")
                                else:
                                    results.add(row, found.figures())
