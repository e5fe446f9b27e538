"""`jrr query` over a store that a real run has filled, and over one whose every row is known."""

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.cli.demo import collect
from jrr_core.cli.simulate import find_scripts
from jrr_core.events import (
    BookDelta,
    BookSnapshot,
    Candle,
    Connected,
    Disconnected,
    FundingRate,
    Gap,
    Message,
    Quote,
    Trade,
)
from jrr_core.instrument import Instrument
from jrr_core.levels import EMPTY, Levels
from jrr_core.plugins import Plugins
from jrr_core.store import Selection

Ask = Callable[..., Result]
S = 10**9
T0 = 1_786_526_400 * S  # 2026-08-12T09:20
AT = ("x", "BTCUSDT")
ONE = Decimal("1.50")


def fill(path: Path, events: Sequence[Any]) -> None:
    async def write() -> None:
        sink = SqliteSink(StorageConfig(path=str(path)))
        await sink.open()
        await sink.write(events)
        await sink.close()

    asyncio.run(write())


def trade(number: int, price: str = "1.50", symbol: str = "BTCUSDT") -> Trade:
    ts = T0 + number * S
    return Trade("x", symbol, ts, ts + 5, Decimal(price), Decimal("0.10"), "buy", str(number))


def stream(kind: Any, ts: int, channel: str, **more: Any) -> Any:
    return kind(*AT, None, T0 + ts * S, channel, "s1", **more)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a store of 30 trades, a book with a gap, and a little of the rest."""
    events = [
        *[trade(number) for number in range(30)],
        trade(3, symbol="ETHUSDT"),
        Candle(*AT, T0 + 60 * S, T0 + 60 * S, "1m", T0, None, ONE, ONE, ONE, ONE, ONE, None, 4, True),
        FundingRate(*AT, T0, T0 + 1, Decimal("-0.00010000"), T0 + 3600 * S, True),
        stream(Connected, 0, "book", ts_from=T0),
        BookSnapshot(*AT, T0, T0 + 1, Levels([("10", "1"), ("9", "2")]), Levels([("11.50", "0.30")]), None, 100),
        BookDelta(*AT, T0 + 2 * S, T0 + 2 * S, Levels([("9.5", "7")]), EMPTY, 101, 105, None),
        stream(Gap, 10, "book", reason="sequence", count=3, ts_from=T0 + 5 * S, ts_to=T0 + 10 * S),
        stream(Disconnected, 20, "book", reason="stopped", ts_to=T0 + 20 * S),
        Instrument("x", "BTCUSDT", "BTC", "USDT", None, "spot", None, None, None, None, "BTC-USDT"),
        Instrument("x", "XRPUSDT", "XRP", "USDT", None, "spot", None, None, None, None, "XRP-USDT"),
    ]
    fill(tmp_path / "market.db", events)
    return tmp_path / "market.db"


@pytest.fixture
def ask(jrr: Ask, file: Path) -> Ask:
    """Return a function that runs `jrr query` on the file."""
    return lambda *words: jrr("query", *words, "--plugins", "sqlite", "--set", f"sinks.sqlite.path={file}")


def ids(result: Result) -> list[int]:
    assert result.exit_code == 0, result.stderr
    return [int(json.loads(line)["trade_id"]) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file that a run of some seconds against simulated exchanges has left."""
    plugins = Plugins.load()
    path = tmp_path_factory.mktemp("query") / "market.db"
    sink = plugins.sink("sqlite")
    asyncio.run(collect(plugins, find_scripts(["binance", "okx"]), sink(sink.Settings(path=str(path))), 2.0, None))
    return path


@pytest.mark.parametrize(
    ("words", "kind", "symbol"),
    [
        (("trades",), Trade, ("binance", "BTCUSDT")),
        (("quotes",), Quote, ("okx", "BTC-USDT")),
        (("candles", "--interval", "1s"), Candle, ("binance", "ETHUSDT")),
        (("funding",), FundingRate, ("okx", "BTC-USDT-SWAP")),
    ],
)
def test_what_a_run_collected_is_read_in_every_form(
    collected: Path, jrr: Ask, words: tuple[str, ...], kind: type[Message], symbol: tuple[str, str]
) -> None:
    async def take() -> list[dict[str, Any]]:
        interval = "1s" if kind is Candle else None
        found = SqliteSink(StorageConfig(path=str(collected))).read(kind, Selection(*symbol, interval=interval))
        return [{name: getattr(event, name) for name in names} async for event in found]

    names = ("exchange", "symbol", "ts_event", "ts_recv", *kind.fields())
    stored = asyncio.run(take())
    assert stored
    texts = [{name: format(v, "f") if isinstance(v, Decimal) else v for name, v in row.items()} for row in stored]
    where = ("--plugins", "binance,okx,sqlite", "--set", f"sinks.sqlite.path={collected}")

    def answer(form: str) -> str:
        result = jrr("query", words[0], ":".join(symbol), *words[1:], "--format", form, *where)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    assert [json.loads(line) for line in answer("json").splitlines()] == texts
    rows = list(csv.DictReader(io.StringIO(answer("csv"))))
    assert rows == [{name: in_csv(value) for name, value in row.items()} for row in texts]
    header, *lines = answer("table").splitlines()
    assert header.split() == list(names[2:])
    assert len(lines) == min(20, len(stored))


def in_csv(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def test_a_collected_book_is_intact_at_its_last_moment(collected: Path, jrr: Ask) -> None:
    where = ("--plugins", "sqlite", "--set", f"sinks.sqlite.path={collected}")
    for symbol in ("binance:BTCUSDT", "okx:BTC-USDT"):
        result = jrr("query", "book", symbol, "--format", "json", *where)
        book = json.loads(result.stdout)
        assert (result.exit_code, book["intact"], len(book["bids"]), len(book["asks"])) == (0, True, 10, 10)
        assert Decimal(book["bids"][0][0]) < Decimal(book["asks"][0][0])


def test_a_table_without_a_choice_shows_the_newest_20_and_says_so(ask: Ask) -> None:
    result = ask("trades", "x:BTCUSDT")
    lines = result.stdout.splitlines()
    assert len(lines) == 21
    assert lines[1].startswith("2026-08-12 09:20:10.000000  2026-08-12 09:20:10.000000   1.50    0.10  buy   10 ")
    assert lines[-1].split()[7] == "29"
    assert result.stderr == "the newest 20 of x:BTCUSDT; --from, --to and --limit choose others\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), list(range(30))),
        (("--limit", "3"), [0, 1, 2]),
        (("--limit", "3", "--newest"), [27, 28, 29]),
        (("--newest",), list(range(10, 30))),
        (("--from", "2026-08-12T09:20:27"), [27, 28, 29]),
        (("--from", "2026-08-12T09:20:05Z", "--to", str(T0 + 7 * S)), [5, 6]),
        (("--to", "2026-08-12T11:20:02+02:00"), [0, 1]),
        (("--from", "-1s"), []),
    ],
)
def test_times_and_limits_choose(ask: Ask, options: tuple[str, ...], expected: list[int]) -> None:
    now = time.time_ns()
    if options[:1] == ("--from",) and options[1].startswith("-") and now < T0 + 60 * S:
        expected = list(range(30))
    assert ids(ask("trades", "x:BTCUSDT", "--format", "json", *options)) == expected


@pytest.mark.parametrize("symbol", ["BTCUSDT", "BTC-USDT", "btc-usdt", "btcusdt"])
def test_a_symbol_may_be_canonical(ask: Ask, symbol: str) -> None:
    assert len(ids(ask("trades", f"x:{symbol}", "--format", "json"))) == 30


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("trades", "x:BTCUSD"), "nothing of x:BTCUSD is stored; did you mean BTCUSDT, "),
        (("trades", "x:DOGE"), "nothing of x:DOGE is stored; stored of x: BTCUSDT, ETHUSDT"),
        (("book", "xx:BTCUSDT"), "nothing of exchange 'xx' is stored; did you mean x? stored: x"),
        (("trades", "BTCUSDT"), "'BTCUSDT' is not of the form EXCHANGE:SYMBOL, for example x:BTCUSDT"),
        (("gaps", "y"), "nothing of exchange 'y' is stored; stored: x"),
        (("trades", "x:BTCUSDT", "--from", "yesterday"), "'yesterday' is not a time"),
        (("trades", "x:BTCUSDT", "--from", "2026-01-02", "--to", "2026-01-01"), "--from 2026-01-02 is later than --to"),
        (("candles", "x:BTCUSDT", "--interval", "1x", "--from-trades"), "'1x' is not an interval"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told_with_what_is_there(ask: Ask, words: tuple[str, ...], told: str) -> None:
    result = ask(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {told}")


def test_of_nothing_found_the_channels_that_are_stored_are_told(ask: Ask) -> None:
    result = ask("quotes", "x:BTCUSDT")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "nothing found; stored of x:BTCUSDT: book, candle_1m, funding, trade\n"


def test_candles_are_the_stored_ones_or_made_from_trades(ask: Ask) -> None:
    (stored,) = map(json.loads, ask("candles", "x:BTCUSDT", "--interval", "1m", "--format", "json").stdout.splitlines())
    assert (stored["open_time"], stored["trade_count"]) == (T0, 4)
    made = ask("candles", "x:BTCUSDT", "--interval", "7s", "--from-trades", "--format", "json", "--from", str(T0))
    found = [json.loads(line) for line in made.stdout.splitlines()]
    assert [candle["trade_count"] for candle in found] == [7, 7, 7, 3]
    assert [candle["volume"] for candle in found] == ["0.70", "0.70", "0.70", "0.30"]
    assert found[0]["open_time"] == -(-T0 // (7 * S)) * 7 * S


def test_a_book_is_shown_side_by_side(ask: Ask) -> None:
    result = ask("book", "x:BTC-USDT", "--at", "2026-08-12T09:20:03", "--depth", "2")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "x:BTCUSDT at 2026-08-12 09:20:02.000000 UTC, update 105",
        "bid_amount  bid    ask  ask_amount",
        "         1   10  11.50        0.30",
        "         7  9.5      -           -",
    ]


def test_a_book_in_csv_has_a_row_for_each_level(ask: Ask) -> None:
    result = ask("book", "x:BTCUSDT", "--at", str(T0), "--format", "csv")
    assert result.stdout.splitlines() == ["side,price,amount", "bid,10,1", "bid,9,2", "ask,11.50,0.30"]


def test_a_book_that_is_not_intact_is_shown_marked_and_fails(ask: Ask) -> None:
    result = ask("book", "x:BTCUSDT", "--at", "2026-08-12T09:20:07")
    told = "the stream was interrupted at 2026-08-12 09:20:05 UTC: sequence"
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].endswith("update 105  NOT INTACT")
    assert result.stderr == f"the book of x:BTCUSDT is not intact: {told}\n"
    book = json.loads(ask("book", "x:BTCUSDT", "--at", "2026-08-12T09:20:07", "--format", "json").stdout)
    assert book == {
        "exchange": "x", "symbol": "BTCUSDT", "ts": T0 + 2 * S, "sequence": 105, "intact": False, "reason": told,
        "bids": [["10", "1"], ["9.5", "7"], ["9", "2"]], "asks": [["11.50", "0.30"]],
    }  # fmt: skip


def test_no_book_is_told_and_fails(ask: Ask) -> None:
    before = ask("book", "x:BTCUSDT", "--at", "2026-08-12")
    assert (before.exit_code, before.stdout) == (1, "")
    assert before.stderr.startswith(
        "no book of x:BTCUSDT is stored at or before 2026-08-12 00:00:00.000000 UTC; stored of"
    )
    never = ask("book", "x:ETHUSDT")
    assert (never.exit_code, never.stderr) == (1, "no book of x:ETHUSDT is stored; stored of x:ETHUSDT: trade\n")


def test_gaps_are_the_missing_part_of_the_coverage(ask: Ask) -> None:
    ranges = [json.loads(line) for line in ask("coverage", "--format", "json").stdout.splitlines()]
    assert [item["state"] for item in ranges] == ["complete", "gap", "complete"]
    gaps = list(csv.DictReader(io.StringIO(ask("gaps", "x:BTCUSDT", "--format", "csv").stdout)))
    assert gaps == [{
        "exchange": "x", "channel": "book", "symbol": "BTCUSDT", "ts_from": str(T0 + 5 * S), "ts_to": str(T0 + 10 * S),
        "state": "gap", "reason": "sequence", "missing": "3",
    }]  # fmt: skip
    nothing = ask("gaps", "x:ETHUSDT")
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (0, "", "no gaps\n")
    assert "2026-08-12 09:20:05.000000" in ask("gaps", "x").stdout


def test_last_has_the_age_of_each_stream(ask: Ask) -> None:
    before = (time.time_ns() - T0) / S
    rows = [json.loads(line) for line in ask("last", "--format", "json").stdout.splitlines()]
    found = {(row["channel"], row["symbol"]): row["ts"] for row in rows}
    assert found == {
        ("book", "BTCUSDT"): T0 + 2 * S,
        ("candle_1m", "BTCUSDT"): T0 + 60 * S,
        ("funding", "BTCUSDT"): T0,
        ("trade", "BTCUSDT"): T0 + 29 * S,
        ("trade", "ETHUSDT"): T0 + 3 * S,
    }
    assert rows[0]["age_s"] == pytest.approx(before - 2, abs=30)
    assert [line.split()[:3] for line in ask("last", "x:ETHUSDT").stdout.splitlines()[1:]] == [
        ["x", "trade", "ETHUSDT"]
    ]


def test_an_empty_store_says_what_to_do(tmp_path: Path, jrr: Ask) -> None:
    fill(tmp_path / "empty.db", [])
    result = jrr("query", "trades", "x:BTC", "--plugins", "sqlite", "--set", f"sinks.sqlite.path={tmp_path}/empty.db")
    assert (result.exit_code, result.stderr) == (2, "error: the store is empty; collect something first: `jrr run`\n")


def test_a_store_that_cannot_be_asked_is_named(configured: Path, jrr: Ask) -> None:
    result = jrr("query", "last")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: shelf can be read back but not asked")


def test_a_reader_that_has_enough_ends_it_quietly(tmp_path: Path) -> None:
    fill(tmp_path / "many.db", [trade(number) for number in range(20_000)])
    words = ["query", "trades", "x:BTCUSDT", "--format", "csv", "--plugins", "sqlite"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from jrr_core.cli import main; main()", *words, "--set",
         f"sinks.sqlite.path={tmp_path}/many.db"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": ""},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b"exchange,symbol,ts_event")
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 1
