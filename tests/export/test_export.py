"""Files hold exactly what the store does, whole or not at all, from any store."""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas
import polars
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner, Result
from jrr_postgres import PostgresSink
from jrr_postgres import StorageConfig as PostgresConfig
from jrr_sqlite import SqliteSink
from jrr_sqlite import StorageConfig as SqliteConfig

from jrr_core.cli import main
from jrr_core.events import BookDelta, BookSnapshot, Candle, Connected, Disconnected, Gap, Message, Trade
from jrr_core.export.export import Asked, Exported, beside
from jrr_core.levels import Levels

DAY = 86_400 * 10**9
T0 = 20_000 * DAY
D = Decimal
Export = Callable[..., Result]


def rows_of(name: str) -> list[dict[str, str]]:
    with Path(name).open(newline="") as lines:
        return list(csv.DictReader(lines))


def trade(number: int, ts: int, price: str = "61837.630", symbol: str = "BTCUSDT") -> Trade:
    return Trade("x", symbol, ts, ts + 5, D(price), D("0.00100000"), "buy" if number % 2 else None, str(number))


def covered(channel: str, since: int, until: int, symbol: str = "BTCUSDT") -> list[Message]:
    return [
        Connected("x", symbol, None, since, channel, "s", ts_from=since),
        Disconnected("x", symbol, None, until, channel, "s", "stopped", ts_to=until),
    ]


def stored(sink: Any, events: Iterable[Any]) -> None:
    async def write() -> None:
        await sink.open()
        await sink.write(list(events))
        await sink.close()

    asyncio.run(write())


def sqlite_in(folder: Path) -> SqliteSink:
    return SqliteSink(SqliteConfig(path=str(folder / "market.db"), candles="all"))


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Export:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["export", *arguments, "--plugins", "sqlite"])

    return call


TRADES = [trade(n, T0 + n * DAY // 4, f"{61_000 + n}.{n}0") for n in range(12)]


def test_csv_has_the_exchange_s_own_digits(tmp_path: Path, export: Export) -> None:
    stored(sqlite_in(tmp_path), [*TRADES, *covered("trade", T0, T0 + 3 * DAY)])
    result = export("trades", "x:BTCUSDT", "-o", "out.csv")
    assert result.exit_code == 0, result.output
    assert "12 rows in 1 files: out.csv" in result.output
    rows = rows_of("out.csv")
    assert [row["price"] for row in rows] == [f"{61_000 + n}.{n}0" for n in range(12)]
    assert rows[0] == {
        "exchange": "x", "symbol": "BTCUSDT", "ts_event": str(T0), "ts_recv": str(T0 + 5), "price": "61000.00",
        "amount": "0.00100000", "side": "", "trade_id": "0", "count": "1", "kind": "", "id_space": "",
    }  # fmt: skip


def test_a_folder_has_a_file_for_each_symbol_and_day_and_is_not_written_twice(tmp_path: Path, export: Export) -> None:
    other = [trade(n, T0 + n * DAY, symbol="ETH/USD") for n in range(2)]
    stored(sqlite_in(tmp_path), [*TRADES, *other, *covered("trade", T0, T0 + 3 * DAY),
                                 *covered("trade", T0, T0 + 2 * DAY, "ETH/USD")])  # fmt: skip
    window = ("--from", str(T0), "--to", str(T0 + 3 * DAY))
    assert export("trades", "x", *window).exit_code == 0
    files = sorted(path.relative_to("export").as_posix() for path in Path("export").rglob("*.csv"))
    assert files == [f"x/trades/{s}/2024-10-0{d}.csv" for s in ("BTCUSDT", "ETH%2FUSD") for d in (4, 5, 6)]
    before = {file: (Path("export") / file).stat().st_mtime_ns for file in files}
    again = export("trades", "x:*", *window)
    assert "14 rows in 6 files, 6 of them finished before" in again.output
    assert before == {file: (Path("export") / file).stat().st_mtime_ns for file in files}
    assert export("trades", "x:*", *window, "--overwrite").exit_code == 0
    assert before != {file: (Path("export") / file).stat().st_mtime_ns for file in files}


def test_a_day_that_went_on_is_written_again_and_another_s_file_is_left_alone(tmp_path: Path, export: Export) -> None:
    stored(sqlite_in(tmp_path), [*TRADES, *covered("trade", T0, T0 + 3 * DAY)])
    assert export("trades", "x:BTCUSDT", "--from", str(T0), "--to", str(T0 + DAY // 2)).exit_code == 0
    result = export("trades", "x:BTCUSDT", "--from", str(T0), "--to", str(T0 + DAY))
    assert "4 rows in 1 files: " in result.output
    (file,) = Path("export").rglob("*.csv")
    file.write_text("mine")
    beside(file).unlink()
    refused = export("trades", "x:BTCUSDT", "--from", str(T0), "--to", str(T0 + DAY))
    assert refused.exit_code == 2
    assert "is there already and is not of this export; add --overwrite" in refused.stderr
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("price", "width"),
    [("61837.630", "decimal128"), ("1E-18", "decimal128"), ("9" * 20, "decimal128"), ("9" * 21, "decimal256"),
     ("0." + "0" * 29 + "1", "decimal256"), ("9" * 30 + "." + "9" * 30, "decimal256")],
)  # fmt: skip
def test_parquet_is_exact_whatever_the_number(tmp_path: Path, export: Export, price: str, width: str) -> None:
    events = [trade(1, T0, "5.5"), trade(2, T0 + 1, price)]
    stored(sqlite_in(tmp_path), [*events, *covered("trade", T0, T0 + 9)])
    result = export("trades", "x:BTCUSDT", "-o", "out.parquet", "--format", "parquet")
    assert result.exit_code == 0, result.output
    table = parquet.read_table("out.parquet")
    assert table.schema.metadata[b"jrr.numbers"].decode() == width
    assert table["price"].to_pylist() == [D("5.5"), D(price)]
    assert table["ts_event"].cast("int64").to_pylist() == [T0, T0 + 1]
    assert str(table.schema.field("ts_event").type) == "timestamp[ns, tz=UTC]"


def test_other_programs_read_the_files(tmp_path: Path, export: Export) -> None:
    stored(sqlite_in(tmp_path), [*TRADES, *covered("trade", T0, T0 + 3 * DAY)])
    assert export("trades", "x:BTCUSDT", "-o", "out.parquet", "--format", "parquet").exit_code == 0
    assert export("trades", "x:BTCUSDT", "-o", "out.csv").exit_code == 0
    assert polars.read_parquet("out.parquet")["price"].sum() == sum(event.price for event in TRADES)
    frame = pandas.read_csv("out.csv", dtype=str)
    assert [D(price) for price in frame["price"]] == [event.price for event in TRADES]


def book_events() -> list[Message]:
    """A book, changes, a missing change, and the next whole book."""

    def delta(first: int, last: int, at: int, bids: list[tuple[str, str]]) -> BookDelta:
        return BookDelta("x", "BTCUSDT", T0 + at, T0 + at, Levels(bids), Levels(), first, last, None)

    def whole(sequence: int, at: int) -> BookSnapshot:
        return BookSnapshot(
            "x", "BTCUSDT", T0 + at, T0 + at, Levels([("10", "1")]), Levels([("11", "1")]), None, sequence
        )

    return [whole(5, 0), delta(6, 7, 10, [("9", "2")]), delta(8, 8, 20, [("10", "0")]), delta(11, 11, 30, [("8", "1")]),
            whole(20, 40), delta(21, 21, 50, [("9.5", "3")])]  # fmt: skip


def test_a_book_is_never_papered_over(tmp_path: Path, export: Export) -> None:
    stored(sqlite_in(tmp_path), [*book_events(), *covered("book", T0, T0 + 60)])
    result = export("book", "x:BTCUSDT", "-o", "book.csv", "--format", "tardis-csv", "--exchange-name", "xx")
    assert result.exit_code == 0, result.output
    assert "1 rows of books left out: an update before them is missing" in result.output
    rows = rows_of("book.csv")
    assert [[row[name] for name in ("is_snapshot", "side", "price", "amount")] for row in rows] == [
        ["true", "bid", "10", "1"], ["true", "ask", "11", "1"], ["false", "bid", "9", "2"], ["false", "bid", "10", "0"],
        ["true", "bid", "10", "1"], ["true", "ask", "11", "1"], ["false", "bid", "9.5", "3"],
    ]  # fmt: skip
    assert {row["exchange"] for row in rows} == {"xx"}
    assert export("book", "x:BTCUSDT", "-o", "b2.csv", "--require-complete").exit_code == 1


def test_from_the_middle_a_book_begins_with_the_whole_of_it(tmp_path: Path, export: Export) -> None:
    stored(sqlite_in(tmp_path), [*book_events(), *covered("book", T0, T0 + 60)])
    assert export("book", "x:BTCUSDT", "-o", "book.csv", "--from", str(T0 + 15), "--to", str(T0 + 25)).exit_code == 0
    rows = rows_of("book.csv")
    assert [row["is_snapshot"] for row in rows] == ["true", "false"]
    assert json.loads(rows[0]["bids"]) == [["10", "1"], ["9", "2"]]


def test_best_levels_at_regular_times(tmp_path: Path, export: Export) -> None:
    def at(second: int, event: Message) -> Message:
        event.ts_event = event.ts_recv = T0 + second * 10**9
        return event

    stored(sqlite_in(tmp_path), [*map(at, range(0, 60, 10), book_events()), *covered("book", T0, T0 + 60 * 10**9)])
    window = ("--from", str(T0), "--to", str(T0 + 60 * 10**9))
    result = export("book", "x:BTCUSDT", "-o", "s.csv", "--depth", "2", "--every", "5s", *window)
    assert result.exit_code == 0, result.output
    rows = rows_of("s.csv")
    assert [(int(row["timestamp"]) - T0 // 1000) // 10**6 for row in rows] == [0, 5, 10, 15, 20, 25, 40, 45]
    assert rows[2]["bids[1].price"] == "9"
    assert rows[4]["bids[0].price"] == "9"
    assert rows[4]["bids[1].price"] == ""


def test_what_is_complete_stands_beside_the_file(tmp_path: Path, export: Export) -> None:
    gap = Gap("x", "BTCUSDT", None, T0 + 9, "trade", "s", "sequence", 3, T0 + DAY, T0 + DAY + 5, (1, 3))
    connected, ended = covered("trade", T0, T0 + 3 * DAY)
    stored(sqlite_in(tmp_path), [connected, *TRADES, gap, ended])
    result = export("trades", "x:BTCUSDT", "-o", "out.csv", "--require-complete")
    assert result.exit_code == 1
    assert "3 missing (sequence)" in result.output
    told = json.loads(beside(Path("out.csv")).read_text())
    assert told["gaps"] == [{"from": T0 + DAY, "to": T0 + DAY + 5, "reason": "sequence", "missing": 3}]
    assert [T0, T0 + DAY] in told["complete"]
    assert told["rows"] == 12


def test_two_stores_of_the_same_give_the_same_bytes(tmp_path: Path, export: Export, dsn: str) -> None:
    candle = Candle("x", "BTCUSDT", T0, T0 + 60, "1m", T0, None, D("1.50"), D(2), D(1), D(2), D("7"), None, 3, True)
    events = [*TRADES, *book_events(), candle]
    for channel in ("trade", "book", "candle_1m"):
        events += covered(channel, T0, T0 + 3 * DAY)
    stored(sqlite_in(tmp_path), events)
    stored(PostgresSink(PostgresConfig(dsn=dsn, compact=False)), events)
    window = ("--from", str(T0), "--to", str(T0 + 3 * DAY))
    for kind, *more in (("trades",), ("book",), ("candles", "--interval", "1m")):
        asked = [kind, "x:BTCUSDT", *more, *window]
        assert export(*asked, "-o", "one").exit_code == 0
        other = ["export", *asked, "-o", "two", "--plugins", "postgres", "--set", f"sinks.postgres.dsn={dsn}"]
        result = CliRunner().invoke(main, other)
        assert result.exit_code == 0, result.output
    one = {path.relative_to("one"): path.read_bytes() for path in Path("one").rglob("*.csv")}
    assert one == {path.relative_to("two"): path.read_bytes() for path in Path("two").rglob("*.csv")}
    assert len(one) == 9


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("candles", "x:BTCUSDT"), "candles need --interval"),
        (
            ("candles", "x:BTCUSDT", "--interval", "1m", "--format", "tardis-csv"),
            "tardis-csv has no layout for candles",
        ),
        (("trades", "x:BTCUSDT", "--depth", "5"), "--depth is for books"),
        (("trades", "x:NOPE"), "nothing of x:NOPE is stored"),
        (("trades", "y:*"), "nothing of exchange 'y' is stored"),
        (("quotes", "x:*"), "no symbol of x:* is stored in quotes"),
    ],
)
def test_what_cannot_be_exported_is_said(tmp_path: Path, export: Export, arguments: tuple[str, ...], said: str) -> None:
    stored(sqlite_in(tmp_path), [*TRADES, *covered("trade", T0, T0 + 9)])
    result = export(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_killed_export_leaves_no_file_that_looks_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    many = [trade(n, T0 + n, str(n)) for n in range(60_000)]
    stored(sqlite_in(tmp_path), [*many, *covered("trade", T0, T0 + 60_000)])
    code = "from jrr_core.cli import main; main()"
    command = [sys.executable, "-c", code, "export", "trades", "x:BTCUSDT", "-o", "out.csv", "--plugins", "sqlite"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 20
    while not (parts := list(tmp_path.glob(".out.csv.part-*"))) and time.monotonic() < until:
        time.sleep(0.002)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert parts
    assert not Path("out.csv").exists()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert len(Path("out.csv").read_text().splitlines()) == 60_001
    assert not list(tmp_path.glob(".out.csv*"))


def test_time_in_which_nobody_collected_is_neither_complete_nor_a_gap() -> None:
    asked = Asked("trades", "csv", "x", "BTC", 0, 1000 * 10**9)
    gap = {"from": 300 * 10**9, "to": 400 * 10**9, "reason": "lost", "missing": 1}
    found = Exported(Path("x"), 1, 0, [(200 * 10**9, 300 * 10**9), (410 * 10**9, 950 * 10**9)], [gap])
    assert found.uncollected(asked) == [(0, 200 * 10**9)]
    assert Exported(Path("x"), 0, 0).uncollected(asked) == [(0, 1000 * 10**9)]
