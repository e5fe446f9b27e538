"""`jrr run` into PostgreSQL from simulated exchanges, and the commands that read the store, as a user types them."""

import asyncio
import csv
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from click.testing import CliRunner, Result
from jrr_postgres import PostgresSink, StorageConfig
from jrr_postgres.testing import PASSWORD_ROLE, Home, Server, execute

from jrr_core.cli import main
from jrr_core.subscription import Subscription
from jrr_core.testing.child import simulated
from jrr_core.testing.truth import Truth

pytestmark = pytest.mark.e2e

EXCHANGES = ("binance", "okx")
WANTED = (
    "binance:trade:BTCUSDT", "binance:candle_1s:BTCUSDT", "binance:book:ETHUSDT", "binance:quote:BTCUSDT",
    "okx:trade:BTC-USDT", "okx:book:BTC-USDT-SWAP", "okx:funding:BTC-USDT-SWAP",
)  # fmt: skip
ENDS = ("written", "duplicate", "dropped", "quarantined", "spooled", "pending")
PASSWORD = "ri:ght/1"
Jrr = Callable[..., Result]


@define
class Collected:
    """A working directory and what a run in it left: exit code, log, account, what was sent, what `jrr check` found."""

    folder: Path
    code: int
    log: list[dict[str, Any]]
    truth: Truth
    findings: list[dict[str, Any]]

    @property
    def account(self) -> dict[str, Any]:
        return self.log[-1]

    def differences(self, dsn: str) -> list[str]:
        """Compare what is stored with what was sent."""
        wanted = [Subscription.parse(text) for text in WANTED]
        return asyncio.run(self.truth.compare_store(PostgresSink(StorageConfig(dsn=dsn)), wanted))


async def jrr_process(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("DB_", "PG", "JRR_"))}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from jrr_core.cli import main; main()", *arguments,
        cwd=folder, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def collect(folder: Path, seconds: float, when_away: Callable[[], None] | None = None) -> Collected:
    """Collect from simulators with the settings of the folder, doing `when_away` once the store is said to be away."""
    async with simulated(EXCHANGES, rate=200, truth_file=folder / "truth.jsonl") as simulation:
        places = [
            f'[exchanges.{name}]\nws_url = "{simulation.ws_urls[name]}"\nrest_url = "{simulation.rest_urls[name]}"\n'
            for name in EXCHANGES
        ]
        lines = ['plugins = ["binance", "okx", "postgres"]', f"subscribe = {json.dumps(WANTED)}", *places]
        (folder / "jrr.toml").write_text("\n".join(lines))
        run = await jrr_process(folder, "run", "--for", f"{seconds}s", "--log-format", "json")
        assert run.stderr is not None
        log = []
        async for line in run.stderr:
            log.append(json.loads(line))
            if when_away is not None and log[-1]["event"] == "sink_away":
                await asyncio.to_thread(when_away)
                when_away = None
        code = await run.wait()
        check = await jrr_process(folder, "check", "--json")
        findings = json.loads((await check.communicate())[0])
        return Collected(folder, code, log, await simulation.stop(), findings)


@pytest.fixture(scope="module")
def server(home: Home) -> Server:
    """A server with roles: `collector` may create databases, `guest` may not; both need PASSWORD."""
    own = home.new()
    member = f"LOGIN PASSWORD '{PASSWORD}' IN ROLE {PASSWORD_ROLE}"
    asyncio.run(
        execute(own.dsn(), f"CREATE ROLE collector CREATEDB {member}", f"CREATE ROLE guest {member}",
                "CREATE DATABASE others")
    )  # fmt: skip
    return own


def settle(folder: Path, server: Server, database: str, user: str = "collector", password: str = PASSWORD) -> Path:
    """Write the .env that leads to a database of the server."""
    values = {"HOST": "127.0.0.1", "PORT": server.port, "NAME": database, "USER": user, "PASSWORD": password}
    (folder / ".env").write_text("".join([f"DB_{name}={value}\n" for name, value in values.items()]))
    return folder


@pytest.fixture(scope="module")
def collected(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Collected:
    folder = settle(tmp_path_factory.mktemp("collected"), server, "market")
    return asyncio.run(collect(folder, 3))


@pytest.fixture
def jrr(monkeypatch: pytest.MonkeyPatch) -> Jrr:
    """Return a function that runs the command line in this process, in a folder; a traceback fails the test."""
    for name in list(os.environ):
        if name.startswith(("DB_", "PG", "JRR_")):
            monkeypatch.delenv(name)

    def call(folder: Path, *arguments: str) -> Result:
        monkeypatch.chdir(folder)
        result = CliRunner().invoke(main, arguments, prog_name="jrr")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def answer(result: Result) -> str:
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_what_was_sent_is_stored_and_the_account_is_even(collected: Collected, server: Server) -> None:
    assert collected.code == 0, collected.log
    assert collected.differences(server.dsn("market")) == []
    sink = collected.account["sinks"]["postgres"]
    assert sink["published"] == sum(sink.get(name, 0) for name in ENDS)
    for exchange in collected.account["exchanges"].values():
        assert exchange["frames"] == exchange["parsed"] + exchange["control"] + exchange["rejected"]
    assert collected.account["failings"] == []
    assert PASSWORD not in json.dumps([collected.log, collected.findings])


def test_check_finds_nothing_wrong(collected: Collected) -> None:
    assert {finding["state"] for finding in collected.findings} == {"ok"}, collected.findings
    assert "store postgres" in {finding["what"] for finding in collected.findings}


@pytest.mark.parametrize(
    "query",
    [("trades", "binance:BTC-USDT"), ("quotes", "binance:BTCUSDT"), ("candles", "binance:BTCUSDT", "--interval", "1s"),
     ("candles", "binance:BTCUSDT", "--interval", "2s", "--from-trades"), ("funding", "okx:BTC-USDT-SWAP"),
     ("coverage",), ("last", "okx")],
    ids=" ".join,
)  # fmt: skip
def test_the_store_answers_in_every_format(collected: Collected, jrr: Jrr, query: tuple[str, ...]) -> None:
    said = {form: answer(jrr(collected.folder, "query", *query, "--format", form)) for form in ("table", "json", "csv")}
    rows = [json.loads(line) for line in said["json"].splitlines()]
    assert rows
    records = list(csv.DictReader(said["csv"].splitlines()))
    assert [list(record) for record in records] == [list(row) for row in rows]
    shown = said["table"].splitlines()[1:]
    assert len(shown) == (len(rows) if query[0] in ("coverage", "last") else min(len(rows), 20))


def test_a_collected_book_is_intact_at_its_last_moment(collected: Collected, jrr: Jrr) -> None:
    for symbol in ("okx:BTC-USDT-SWAP", "binance:ETHUSDT"):
        book = json.loads(answer(jrr(collected.folder, "query", "book", symbol, "--depth", "3", "--format", "json")))
        assert (book["intact"], len(book["bids"]), len(book["asks"])) == (True, 3, 3)


def test_coverage_is_drawn_for_every_stream(collected: Collected, jrr: Jrr) -> None:
    drawn = answer(jrr(collected.folder, "coverage")).splitlines()[1:]
    assert sorted(line.split()[0] for line in drawn) == sorted(WANTED)


def test_the_plan_is_put_beside_what_the_store_took(collected: Collected, jrr: Jrr) -> None:
    plan = json.loads(answer(jrr(collected.folder, "plan", "--from-store", "--json")))
    assert "binance" in json.dumps(plan)
    assert "postgres" in answer(jrr(collected.folder, "plan"))


def test_set_up_and_compaction_leave_a_store_that_is_new(collected: Collected, jrr: Jrr) -> None:
    assert "database market of 127.0.0.1:" in answer(jrr(collected.folder, "postgres", "init"))
    assert "nothing to compact" in answer(jrr(collected.folder, "postgres", "compact"))


@pytest.mark.parametrize(
    ("user", "password", "database", "told"),
    [
        ("collector", "hunter2", "market", "refuses user collector"),
        ("guest", PASSWORD, "nowhere", "has no database 'nowhere', and user guest may not create it"),
        ("guest", PASSWORD, "others", "user guest lacks a privilege in database 'others'"),
        ("guest", PASSWORD, "market", "the tables of namespace jrr belong to collector"),
    ],
    ids=["password", "database", "privilege", "owner"],
)
def test_what_the_user_must_change_ends_the_start(
    server: Server, collected: Collected, tmp_path: Path, jrr: Jrr, user: str, password: str, database: str, told: str
) -> None:
    folder = settle(tmp_path, server, database, user, password)
    (folder / "jrr.toml").write_text((collected.folder / "jrr.toml").read_text())
    for command in (("run", "--for", "20s"), ("postgres", "init")):
        result = jrr(folder, *command)
        (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert result.exit_code == 2
        assert told in line
        assert password not in result.output
        assert "Traceback" not in result.output


def test_a_store_that_is_away_at_the_start_is_waited_for(server: Server, tmp_path: Path) -> None:
    server.stop()
    done = asyncio.run(collect(settle(tmp_path, server, "later"), 5, when_away=server.start))
    assert done.code == 0, done.log
    away, back = [line["text"] for line in done.log if line["event"] in ("sink_away", "sink_back")]
    assert "postgres is away, trying again: PostgreSQL at 127.0.0.1:" in away
    assert "connection refused" in away
    assert back.startswith("postgres is back; nothing was lost")
    assert done.differences(server.dsn("later")) == []
