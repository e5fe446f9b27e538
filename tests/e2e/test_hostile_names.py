"""An exchange that lists and streams hostile symbols, collected into every store, and read back by every command."""

import asyncio
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from prometheus_client.parser import text_string_to_metric_families

from jrr_core.builder import ManagerBuilder
from jrr_core.cli import main
from jrr_core.config import load_config
from jrr_core.events import Trade
from jrr_core.manager import Manager
from jrr_core.observe.metrics import exposition
from jrr_core.plugins import Plugins
from jrr_core.store import Selection, Store
from jrr_core.subscription import Subscription
from jrr_core.testing import hostile
from jrr_core.top.panes import reading
from jrr_core.top.snapshot import snapshot
from tests.conftest import Install
from tests.toy import ToyServer, toy_server, until

pytestmark = pytest.mark.e2e

# Those a subscription can name one by one: core takes blanks off the ends of its text, and `*` and `?` stand for many.
SYMBOLS = [name for name in hostile.TEXTS if name == name.strip() and not {"*", "?"} & {*name}]
# What a store cannot hold, by its own rules; everything else it has to.
BEYOND = {"sqlite": set[str](), "parquet": {"x" * 10_000, "__HIVE_DEFAULT_PARTITION__"}, "postgres": {"a\x00b"}}
PLUGIN = """
import json
from decimal import Decimal
from jrr_core import wire
from jrr_core.base_connector import BaseWebSocketConnector
from jrr_core.errors import ParseError
from jrr_core.events import Trade
from jrr_core.frame import HttpGet
from jrr_core.hookspecs import hookimpl
from jrr_core.instrument import Instrument

class Hostile(BaseWebSocketConnector):
    exchange = "hostile"
    channels = ("trade",)

    def subscribe(self, channels):
        return json.dumps(list(channels))

    def parse_message(self, raw):
        row = wire.decode(raw)
        if row["id"] == 0:
            raise ParseError("a trade of " + row["s"])
        return Trade("hostile", row["s"], None, 0, Decimal(1), Decimal(2), "buy", str(row["id"]))

    def instrument_requests(self):
        return [HttpGet(self.settings.rest_url + "/list", "list")]

    def instruments(self, frame):
        return [Instrument("hostile", s, s, s, None, "spot", None, None, None, None, s + "-" + s)
                for s in wire.decode(frame.payload)]

@hookimpl
def jrr_connectors():
    return [Hostile]
"""
Jrr = Callable[..., Result]


async def talk(server: ToyServer, connection: Any, number: int) -> None:
    """Send a trade of each symbol, and a frame of each that cannot be read."""
    for name in SYMBOLS:
        for identity in (1, 0):
            await connection.send(json.dumps({"s": name, "id": identity}))


async def collected(folder: Path, dsn: str) -> Manager:
    """Collect what the exchange sends into the three stores; return the manager, which has stopped."""
    async with toy_server(talk) as server:
        server.pages["/list"] = (200, json.dumps(SYMBOLS), {})
        builder = ManagerBuilder(plugins=Plugins.load(["hostile", "sqlite", "parquet", "postgres"]))
        builder.add_exchange("hostile", ws_url=server.url, rest_url=server.rest_url)
        builder.add_sink("sqlite", path=str(folder / "market.db")).add_sink("parquet", path=str(folder / "lake"))
        builder.add_sink("postgres", dsn=dsn).set_spool(path=str(folder / "spool"))
        manager = await builder.build()
        await manager.subscribe([Subscription("hostile", "trade", name) for name in SYMBOLS])
        running = asyncio.ensure_future(manager.run())
        counters = manager.exchanges["hostile"].around.desk.counters
        await until(lambda: running.done() or counters.frames == 2 * len(SYMBOLS))
        await manager.stop()
        await running
    return manager


@pytest.fixture
def market(tmp_path: Path, dsn: str, install: Install, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Manager]:
    install("hostile", PLUGIN)
    monkeypatch.chdir(tmp_path)
    return tmp_path, asyncio.run(collected(tmp_path, dsn))


async def stored(store: Any, kept: set[str]) -> tuple[list[str], set[str], dict[str, list[str]]]:
    """Return the symbols of a store's trades and of its coverage, and what asking for each one kept gives."""
    assert isinstance(store, Store)
    found = [event.symbol async for event in store.read(Trade, Selection())]
    one = {
        name: [event.symbol async for event in store.read(Trade, Selection(exchange="hostile", symbol=name))]
        for name in kept
    }
    return found, {item.symbol for item in await store.coverage()}, one


def test_every_store_has_them_and_every_command_shows_them(market: tuple[Path, Manager]) -> None:
    folder, manager = market
    for drain in manager.drains:
        name = drain.sink.name
        kept = {*SYMBOLS} - BEYOND[name]
        found, covered, one = asyncio.run(stored(drain.sink, kept))
        assert sorted(found) == sorted(kept), name
        assert covered >= kept, name
        assert one == {symbol: [symbol] for symbol in kept}, name
        assert manager.get_stats()["sinks"][name]["dropped"] == 0, name
    refused = [
        json.loads(line) for path in (folder / ".jrr").rglob("*.jsonl") for line in path.read_text().splitlines()
    ]
    frames = [json.loads(entry["content"])["s"] for entry in refused if entry["origin"].startswith("hostile")]
    assert sorted(frames) == sorted(SYMBOLS)
    everything = [str(path.relative_to(folder)) for path in folder.rglob("*")]
    assert all(name.isprintable() and ".." not in name.split("/") for name in everything)
    commands_show_them(folder)
    views_show_them(manager.get_stats())


def views_show_them(stats: dict[str, Any]) -> None:
    """What a running collector tells of itself: metrics, the terminal view, the account at its end."""
    _, body = exposition(stats, ("*",), "text/plain")
    told = {
        sample.labels["symbol"]
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name == "jrr_stream_events_total"
    }
    assert told == {*SYMBOLS}
    lines = [*snapshot(reading(stats, None), 200)]
    assert len(lines) > len(SYMBOLS)
    assert all(line.isprintable() and len(line) <= 200 for line in lines)


def commands_show_them(folder: Path) -> None:
    def jrr(*line: str) -> str:
        result = CliRunner().invoke(
            main, [*line, "--plugins", "hostile,sqlite", "--set", "sinks.sqlite.path=market.db"]
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), (line, result.exception)
        assert result.exit_code in (0, 1), (line, result.output[:2000])
        return result.stdout_bytes.decode()

    for line in (["coverage"], ["query", "last"], ["query", "coverage"], ["audit"], ["digest"]):
        shown = jrr(*line).split("\n")
        assert all(text.isprintable() and len(text) < 1000 for text in shown), line
        assert len(shown) >= (3 if len(line) == 1 and line != ["coverage"] else len(SYMBOLS)), line
    assert {row["symbol"] for row in json.loads(jrr("coverage", "--json"))} >= {*SYMBOLS}
    rows = [json.loads(line) for line in jrr("query", "last", "--format", "json").splitlines()]
    assert {row["symbol"] for row in rows} >= {*SYMBOLS}
    rows = [*csv.DictReader(io.StringIO(jrr("query", "last", "--format", "csv"), newline=""))]
    assert {row["symbol"] for row in rows} >= {*SYMBOLS}
    for name in SYMBOLS[::4]:
        if "\x00" not in name:
            (row,) = jrr("query", "trades", f"hostile:{name}", "--format", "json").splitlines()
            assert json.loads(row)["symbol"] == name


@pytest.mark.parametrize("name", hostile.NAMES[::-4], ids=lambda name: ascii(name[:20]))
def test_arguments_and_settings_give_errors_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for line in (["--subscribe", f"nowhere:trade:{name}"], ["--set", f"run.{name}={name}"], ["--plugins", f"a{name}"]):
        result = CliRunner().invoke(main, ["run", *line])
        assert result.exit_code == 2, line
        assert isinstance(result.exception, SystemExit)
        assert result.output.count("\n") <= 1 or "Usage:" in result.output
        assert result.output.rstrip("\n").isprintable() or "Usage:" in result.output
        assert len(result.output) < 5000


def test_the_list_of_instruments_shows_them(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("hostile", PLUGIN)
    monkeypatch.chdir(tmp_path)

    async def listed() -> tuple[str, str]:
        async with toy_server() as server:
            server.pages["/list"] = (200, json.dumps(SYMBOLS), {})
            line = ["instruments", "hostile", "--plugins", "hostile"]
            line += ["--set", f"exchanges.hostile.rest_url={server.rest_url}"]
            table = await asyncio.to_thread(CliRunner().invoke, main, line)
            text = await asyncio.to_thread(CliRunner().invoke, main, [*line, "--json"])
            return table.output, text.stdout_bytes.decode()

    table, text = asyncio.run(listed())
    assert len(table.split("\n")) == len(SYMBOLS) + 2
    assert all(line.isprintable() and len(line) < 400 for line in table.split("\n"))
    assert {row["symbol"] for row in json.loads(text)} == {*SYMBOLS}


def test_symbols_in_settings_are_taken_as_written(tmp_path: Path) -> None:
    written = ", ".join('"' + "".join(f"\\U{ord(char):08x}" for char in name) + '"' for name in SYMBOLS)
    table = f'[[subscribe]]\nexchange = "hostile"\nchannels = ["trade"]\nsymbols = [{written}]\n'
    (tmp_path / "jrr.toml").write_text(table)
    assert [item.symbol for item in load_config(folder=tmp_path, environ={}).subscriptions] == SYMBOLS
