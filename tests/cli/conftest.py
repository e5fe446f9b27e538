"""A toy exchange on loopback and a toy store, installed as one plugin, for the commands to work on."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from attrs import Factory, define
from click.testing import CliRunner, Result
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

PLUGIN = '''
import asyncio
import json
from decimal import Decimal
from attrs import define
from jrr_core.base_connector import BaseWebSocketConnector
from jrr_core.connector import ExchangeSettings
from jrr_core.errors import ConfigError, ParseError
from jrr_core.events import ALL_EVENTS, Trade
from jrr_core.frame import HttpGet
from jrr_core.hookspecs import hookimpl
from jrr_core.instrument import Instrument
from jrr_core.setting import setting
from jrr_core.sink import BatchPolicy, WriteResult
from jrr_core.store import Range

class Toy(BaseWebSocketConnector):
    exchange = "toy"
    channels = ("trade",)

    def subscribe(self, channels):
        return json.dumps(list(channels))

    def parse_message(self, raw):
        row = json.loads(raw)
        return Trade("toy", row["s"], None, 0, Decimal(1), Decimal(2), "buy", str(row["id"]))

    def instrument_requests(self):
        return [HttpGet(self.settings.rest_url + "/list", "list")] if self.settings.rest_url else []

    def instruments(self, frame):
        try:
            symbols = [s + "" for s in json.loads(frame.payload)]
        except (ValueError, TypeError) as error:
            raise ParseError(str(error))
        return [
            Instrument("toy", s, s[:3], s[3:], None, "spot", Decimal("0.010"), None, None, None,
                       f"{s[:3]}-{s[3:]}", active=s != "OLDUSD", status="on")
            for s in symbols
        ]

@define
class Settings:
    path: str = setting("shelf.jsonl", "File.")
    pause_s: float = setting(0.0, "How long each write takes.")
    gaps: bool = setting(False, "Whether coverage shows a gap.")
    broken: bool = setting(False, "Whether coverage shows a stream that broke off.")
    password: str = setting("", "Secret.", secret=True)

class Shelf:
    name = "shelf"
    Settings = Settings
    embedded = False
    accepts = ALL_EVENTS
    batch = BatchPolicy(max_rows=100, max_age_s=0.01)

    def __init__(self, settings):
        self.settings, self.out = settings, None

    async def open(self):
        try:
            self.out = open(self.settings.path, "a")
        except OSError as error:
            raise ConfigError(f"sinks.shelf.path: {error}") from None

    async def write(self, batch):
        await asyncio.sleep(self.settings.pause_s)
        for event in batch:
            print(event.type, event.symbol, getattr(event, "trade_id", ""), file=self.out)
        self.out.flush()
        return WriteResult(len(batch))

    async def close(self):
        if self.out is not None:
            self.out.close()

    async def read(self, type, chosen=None):
        for event in ():
            yield event

    async def counts(self):
        return {}

    async def coverage(self):
        second = 10**9
        ranges = [Range("toy", "trade", "BTCUSD", 0, 60 * second, "complete")]
        if self.settings.broken:
            ranges.append(Range("toy", "trade", "ETHUSD", 0, 30 * second, "complete", "connection cut"))
            ranges.append(Range("toy", "trade", "OLDUSD", 0, 30 * second, "complete", "stopped"))
        if self.settings.gaps:
            ranges.append(Range("toy", "trade", "BTCUSD", 60 * second, 60 * second + 1, "gap", "buffer full", 7))
            ranges.append(Range("toy", "trade", "BTCUSD", 60 * second + 1, 120 * second, "backfilled"))
        return ranges

@hookimpl
def jrr_connectors():
    return [Toy]

@hookimpl
def jrr_sinks():
    return [Shelf]

@hookimpl
def jrr_commands(cli):
    @cli.command()
    def greet():
        """Greet from a plugin."""
        print("hello")
'''


@define
class ToyServer:
    """One port for HTTP and WebSocket, in a thread; `rows` are sent to each connection after it subscribed."""

    port: int = 0
    ahead_s: float = 0.0
    listed: str = '["BTCUSD", "ETHUSD", "OLDUSD"]'
    rows: list[str] = Factory(list)
    subscribed: list[list[str]] = Factory(list)

    def handle(self, connection: ServerConnection) -> None:
        try:
            self.subscribed.append(json.loads(connection.recv()))
            for row in self.rows:
                connection.send(row)
            while True:
                self.subscribed.append(json.loads(connection.recv()))
        except ConnectionClosed:
            return

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" in request.headers:
            return None
        body = self.listed.encode()
        date = formatdate(time.time() + self.ahead_s, usegmt=True)
        return Response(
            200, "OK", Headers({"Date": date, "Content-Length": str(len(body)), "Connection": "close"}), body
        )


@pytest.fixture
def server() -> Iterator[ToyServer]:
    toy = ToyServer(rows=[json.dumps({"s": "BTCUSD", "id": number}) for number in range(20)])
    with serve(toy.handle, "127.0.0.1", 0, process_request=toy.answer) as running:
        toy.port = running.socket.getsockname()[1]
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield toy
        running.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Callable[..., str]) -> Path:
    """Return the working directory of the test; the toy plugin is installed."""
    install("toy", PLUGIN)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def configured(folder: Path, server: ToyServer) -> Path:
    """Return the working directory, with a jrr.toml that points at the toy server."""
    (folder / "jrr.toml").write_text(f"""
        plugins = ["toy"]
        [exchanges.toy]
        ws_url = "ws://127.0.0.1:{server.port}"
        rest_url = "http://127.0.0.1:{server.port}"
        [sinks.shelf]
        path = "shelf.jsonl"
    """)
    return folder


@pytest.fixture
def jrr() -> Callable[..., Result]:
    """Return a function that runs the command line in this process; a traceback fails the test."""
    from jrr_core.cli import main

    def call(*arguments: str) -> Result:
        result = CliRunner().invoke(main, arguments, prog_name="jrr")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.output
        return result

    return call
