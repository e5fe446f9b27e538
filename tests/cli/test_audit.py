"""`jrr audit` over real stores: both say the same, and every wrong that was put in is found."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from click.testing import Result
from jrr_postgres import PostgresSink
from jrr_postgres import StorageConfig as PostgresConfig
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.cli.demo import collect
from jrr_core.cli.simulate import find_scripts
from jrr_core.events import BookDelta, BookSnapshot, Candle, Connected, Disconnected, Gap, Quote, Trade
from jrr_core.instrument import Instrument
from jrr_core.levels import EMPTY, Levels
from jrr_core.plugins import Plugins

Jrr = Callable[..., Result]
S = 10**9
T0 = 1_786_526_400 * S  # 2026-08-12T09:20
AT = ("x", "BTCUSDT")
PLUGIN = """
from jrr_core.base_connector import BaseWebSocketConnector
from jrr_core.hookspecs import hookimpl

class Dense(BaseWebSocketConnector):
    exchange = "x"
    trade_numbering = {None: "each"}
    def parse_message(self, raw): return None

@hookimpl
def jrr_connectors(): return [Dense]
"""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.nightly)])
def store(request: pytest.FixtureRequest, tmp_path: Path, install: Callable[..., str]) -> tuple[Any, tuple[str, ...]]:
    """Return an empty sink and the options that lead `jrr` to it; the plugin of exchange `x` is installed."""
    install("x", PLUGIN)
    if request.param == "sqlite":
        path = tmp_path / "market.db"
        return SqliteSink(StorageConfig(path=str(path))), ("--plugins", "sqlite", "--set", f"sinks.sqlite.path={path}")
    dsn = request.getfixturevalue("dsn")
    sink = PostgresSink(PostgresConfig(dsn=dsn, compact=False))
    return sink, ("--plugins", "postgres", "--set", f"sinks.postgres.dsn={dsn}")


def fill(sink: Any, events: Sequence[Any]) -> None:
    async def write() -> None:
        await sink.open()
        await sink.write(events)
        await sink.close()

    asyncio.run(write())


def trade(number: int, minute: int, **more: Any) -> Trade:
    ts = T0 + minute * 60 * S
    return Trade(*AT, ts, ts + 5, Decimal("1.50"), Decimal("0.10"), "buy", str(number), **more)


def stream(kind: Any, minute: int, channel: str, **more: Any) -> Any:
    return kind(*AT, None, T0 + minute * 60 * S, channel, "s1", **more)


def lived(channel: str) -> list[Any]:
    """Return the beginning and the end of a stream that was heard for half an hour."""
    return [
        stream(Connected, 0, channel, ts_from=T0),
        stream(Disconnected, 30, channel, reason="stopped", ts_to=T0 + 1800 * S),
    ]


def bar(minute: int, volume: str = "0.10") -> Candle:
    begin, price = T0 + minute * 60 * S, Decimal("1.50")
    end = begin + 60 * S
    return Candle(*AT, end, end + 5, "1m", begin, None, price, price, price, price, Decimal(volume), None, 1, True)


def book(wrong: bool = False) -> list[Any]:
    """Return a snapshot and five updates; the wrong ones leave one out and cross the book for two minutes."""
    whole = BookSnapshot(*AT, T0, T0 + 5, Levels([("10", "1")]), Levels([("11", "1")]), None, 100)
    bids = [("10.5", "1"), ("12", "1"), ("12", "2"), ("12", "0"), ("9", "1"), ("9", "2")]
    updates = [
        BookDelta(
            *AT, ts, ts + 5, Levels([bid if wrong or bid[0] != "12" else ("9", "1")]), EMPTY, 101 + n, 101 + n, None
        )
        for n, bid in enumerate(bids)
        for ts in [T0 + (n + 1) * 60 * S]
    ]
    return [whole, *(item for n, item in enumerate(updates) if n != 4 or not wrong)]


SOUND = [
    *[event for channel in ("trade", "candle_1m", "book") for event in lived(channel)],
    *[trade(number, number) for number in range(10)],
    *[bar(minute) for minute in range(10)],
    *book(),
    Quote(*AT, T0, T0 + 5, Decimal(1), Decimal(1), Decimal(2), Decimal(1), 7),
    Instrument("x", "BTCUSDT", "BTC", "USDT", None, "spot", None, None, None, None, "BTC-USDT"),
]
WRONG = [
    *[event for channel in ("trade", "candle_1m", "book") for event in lived(channel)],
    stream(Gap, 12, "trade", reason="connection lost", count=7, ts_from=T0 + 660 * S, ts_to=T0 + 720 * S),
    stream(Gap, 21, "trade", reason="buffer full", count=2, ts_from=T0 + 1200 * S, ts_to=T0 + 1260 * S),
    stream(Gap, 26, "trade", reason="sequence", count=1, ts_from=T0 + 1500 * S, ts_to=T0 + 1560 * S),
    *[trade(number, number) for number in range(6)],
    *[trade(number, number) for number in range(8, 12)],  # 6 and 7 are missing, and nobody was told
    *[trade(number + 7, number) for number in range(12, 21)],  # a gap of 7, recorded
    *[trade(number + 9, number) for number in range(21, 29)],  # one of 2, recorded; then one that is none
    *[bar(minute, "0.20" if minute == 3 else "0.10") for minute in range(10) if minute != 8],
    *book(wrong=True),
]


def test_a_sound_store_is_complete(store: tuple[Any, tuple[str, ...]], jrr: Jrr) -> None:
    sink, where = store
    fill(sink, SOUND)
    result = jrr("audit", *where)
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "stream               rows  runs  holes  recorded  verdict",
            "x:book:BTCUSDT          7     1      0         0  no holes",
            "x:candle_1m:BTCUSDT    10     1      0         0  no holes",
            "x:quote:BTCUSDT         -     0      0         0  not judged: no numbers here tell of holes",
            "x:trade:BTCUSDT        10     1      0         0  no holes",
            "",
            "4 streams, 27 rows, 0 holes, 0 findings; 1 streams could not be judged",
        ],
    )
    told = json.loads(jrr("audit", "--json", *where).stdout)
    assert told["findings"] == []
    assert {item["channel"]: item["compared"] for item in told["streams"]}["candle_1m"] == 8


@pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)
def test_every_wrong_is_found_and_nothing_else(store: tuple[Any, tuple[str, ...]], jrr: Jrr) -> None:
    sink, where = store
    fill(sink, WRONG)
    result = jrr("audit", *where)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["x:book:BTCUSDT", "6", "2", "1", "0", "2", "findings"],
        ["x:candle_1m:BTCUSDT", "9", "2", "1", "0", "2", "findings"],
        ["x:trade:BTCUSDT", "27", "4", "3", "2", "2", "findings"],
    ]
    told = [line.partition(": ") for line in lines[5:-1]]
    assert [(where, text.partition(";")[0]) for where, _, text in told] == [
        (
            "unrecorded gap x:book:BTCUSDT at 2026-08-12 09:24:00.000000 for 120.000 s",
            "unknown many book updates missing (105), and the ledger calls the time complete",
        ),
        (
            "crossed book x:book:BTCUSDT at 2026-08-12 09:22:00.000000 for 120.000 s",
            "the best bid is at or above the best ask for 120.000 s",
        ),
        (
            "wrong candle x:candle_1m:BTCUSDT at 2026-08-12 09:23:00.000000 for 60.000 s",
            "not what its trades make: volume 0.20 where trades make 0.10",
        ),
        (
            "unrecorded gap x:candle_1m:BTCUSDT at 2026-08-12 09:28:00.000000 for 62.000 s",
            f"1 candles missing ({T0 + 480 * S}), and the ledger calls the time complete",
        ),
        (
            "unrecorded gap x:trade:BTCUSDT at 2026-08-12 09:25:00.000000 for 180.000 s",
            "2 trades missing (6 to 7), and the ledger calls the time complete",
        ),
        (
            "needless gap x:trade:BTCUSDT at 2026-08-12 09:45:00.000000 for 60.000 s",
            "gap recorded where nothing is missing (sequence): trades go on without a hole",
        ),
    ]
    assert all("; " in text for _, _, text in told)
    findings = json.loads(jrr("audit", "--json", *where).stdout)["findings"]
    assert [item["kind"] for item in findings] == [where.rsplit(" x:")[0] for where, _, _ in told]
    assert [item["count"] for item in findings if item["channel"] == "trade"] == [2, 0]


def test_a_choice_is_judged_alone(store: tuple[Any, tuple[str, ...]], jrr: Jrr) -> None:
    sink, where = store
    fill(sink, [*WRONG, *SOUND[-2:], evolve(trade(1, 1), symbol="ETHUSDT"), evolve(trade(1, 1), exchange="y")])
    assert jrr("audit", *where, "--symbol", "ETHUSDT").stdout.splitlines()[-1].startswith("1 streams, 1 rows, 0 holes")
    early = ("--symbol", "BTC-USDT", "--exchange", "x", "--to", "2026-08-12T09:22")
    assert jrr("audit", *where, *early).exit_code == 0
    away = jrr("audit", *where, "--exchange", "y")
    assert (away.exit_code, "no installed plugin tells how this exchange" in away.stdout) == (0, True)
    for wrong, words in {
        ("--exchange", "xx"): "nothing of exchange 'xx' is stored; did you mean x?",
        ("--symbol", "BTCUSD"): "nothing of BTCUSD is stored; did you mean BTCUSDT",
        ("--from", "-1h", "--to", "-2h"): "--from -1h is later than --to -2h",
    }.items():
        result = jrr("audit", *where, *wrong)
        assert result.exit_code == 2
        assert words in result.stderr


def test_an_empty_store_says_so(store: tuple[Any, tuple[str, ...]], jrr: Jrr) -> None:
    sink, where = store
    fill(sink, [])
    result = jrr("audit", *where)
    assert (result.exit_code, result.stdout) == (0, "the store is empty: nothing was collected into it\n")


def test_what_is_cut_out_of_a_recording_is_found(realdata: Path, tmp_path: Path, jrr: Jrr) -> None:
    where = ("--plugins", "sqlite", "--set", f"sinks.sqlite.path={tmp_path / 'market.db'}")
    file = realdata / "hftbacktest" / "binance_btcusdt_20240808.gz"
    assert jrr("replay", str(file), "--exchange", "binance", *where).exit_code == 0
    whole = json.loads(jrr("audit", "--json", *where).stdout)
    assert {item["channel"]: item["rows"] for item in whole["streams"]} == {"book": 3450, "quote": None, "trade": 9757}
    assert whole["findings"] == []
    with closing(sqlite3.connect(tmp_path / "market.db")) as connection, connection:
        (first,) = connection.execute("SELECT min(trade_id) FROM stored_trades").fetchone()
        connection.execute("DELETE FROM stored_trades WHERE trade_id - ? IN (5, 6, 4000, 9000)", (first,))
        connection.execute("DELETE FROM stored_book_deltas WHERE id IN (10, 1000, 1001)")
    cut = json.loads(jrr("audit", "--json", *where).stdout)
    numbers = [(item["first"], item["last"]) for item in cut["findings"] if item["channel"] == "trade"]
    assert numbers == [(first + 5, first + 6), (first + 4000, first + 4000), (first + 9000, first + 9000)]
    assert [item["kind"] for item in cut["findings"] if item["channel"] == "book"] == ["unrecorded gap"] * 2


@pytest.mark.nightly
def test_what_a_run_collects_agrees_with_its_ledger(tmp_path: Path, jrr: Jrr) -> None:
    plugins = Plugins.load()
    sink = SqliteSink(StorageConfig(path=str(tmp_path / "market.db")))
    asyncio.run(collect(plugins, find_scripts(["binance", "binance-usdm", "okx"]), sink, 6.0, None))
    result = jrr("audit", "--json", "--plugins", "sqlite", "--set", f"sinks.sqlite.path={tmp_path / 'market.db'}")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["findings"]) == (0, [])
    assert sum(item["compared"] for item in told["streams"]) > 0
