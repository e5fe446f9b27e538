"""`jrr plan`: what it prints for real settings, without network and with a list, and beside a store that has data."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from jrr_sqlite import SqliteSink, StorageConfig

from jrr_core.cli.plan_table import amount
from jrr_core.events import Connected, Disconnected, Message, Trade

Jrr = Callable[..., Result]
SECOND = 10**9
HOUR = 3600 * SECOND
T0 = 1_786_147_200 * SECOND
DAY = 86_400


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, with the subscriptions of the Quick Start and exchanges that cannot be reached."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jrr.toml").write_text("""
        plugins = ["binance", "okx", "sqlite"]
        [exchanges.binance]
        rest_url = "http://127.0.0.1:9"
        [exchanges.binance-usdm]
        rest_url = "http://127.0.0.1:9"
        [exchanges.okx]
        rest_url = "http://127.0.0.1:9"
        [[subscribe]]
        exchange = "binance"
        native = ["btcusdt@trade", "btcusdt@kline_1m", "ethusdt@depth5@100ms"]
        [[subscribe]]
        exchange = "okx"
        channels = ["open_interest"]
        symbols = ["SOL-USDT-SWAP"]
    """)
    return tmp_path


def subscribed(found: Any, store: int = 0) -> dict[str, Any]:
    return {row["subscription"]: row for row in found["stores"][store]["subscriptions"]}


def test_a_plan_needs_neither_network_nor_store(quick: Path, jrr: Jrr) -> None:
    result = jrr("plan", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    rows = subscribed(found)
    trade, candle = rows["binance:btcusdt@trade"], rows["binance:btcusdt@kline_1m"]
    book, interest = rows["binance:ethusdt@depth5@100ms"], rows["okx:open_interest:SOL-USDT-SWAP"]
    assert (trade["class"], trade["market"], trade["rows_per_day"]) == ("major", "spot", 45 * DAY)
    assert trade["fresh_bytes_per_month"] == 30 * 45 * DAY * 54
    assert candle["rows_per_day"] == 1440
    assert book["fresh_bytes_per_day"] == 10 * DAY * (40 + 10 * 18)
    assert (interest["class"], interest["market"], interest["rate"]) == ("large", "perpetual", "okx:open_interest")
    assert interest["rows_per_day"] == pytest.approx(DAY / 3)
    total = found["stores"][0]["total"]
    assert total["rows_per_day"] == pytest.approx(45 * DAY + 1440 + 10 * DAY + DAY / 3)
    assert found["rates"]["okx:open_interest"]["source"] == "fixed by okx"
    assert [note.partition(":")[0] for note in found["notes"]] == ["binance", "okx"]
    assert list(quick.iterdir()) == [quick / "jrr.toml"]


def test_the_page_has_totals_sources_and_units(quick: Path, jrr: Jrr) -> None:
    lines = jrr("plan").stdout.splitlines()
    assert lines[0] == "store sqlite"
    assert " ".join(lines[2].split()) == "binance:btcusdt@trade major spot 1 45 3,888,000 116,640,000 210 MB 6.30 GB"
    assert [line.split()[:3] for line in lines if " in all" in line] == [["binance", "in", "all"]]
    assert any(line.startswith("in all ") for line in lines)
    assert any("trade ids of one symbol over 729 days" in line for line in lines)
    assert "A month is 30 days; 1 kB is 1,000 bytes." in lines
    assert any(line.startswith("binance: cannot reach 127.0.0.1:9") for line in lines)


def test_a_pattern_without_network_is_named_until_its_number_is_set(quick: Path, jrr: Jrr) -> None:
    spec = ("--subscribe", "binance-usdm:trade:*USDT")
    result = jrr("plan", *spec)
    assert result.exit_code == 0
    cure = 'plan.symbols."binance-usdm:trade:*USDT" = HOW_MANY'
    assert f"not counted: binance-usdm:trade:*USDT; to count it set {cure}" in result.stdout
    counted = json.loads(jrr("plan", *spec, "--json", "--set", "plan.symbols.binance-usdm:trade:*USDT=400").stdout)
    rows = counted["stores"][0]["subscriptions"]
    assert [(row["class"], row["market"], row["symbols"]) for row in rows] == [
        ("major", "perpetual", 2), ("large", "perpetual", 20), ("other", "perpetual", 378),
    ]  # fmt: skip


def test_a_pattern_is_counted_by_the_list_where_it_can_be_had(configured: Path, jrr: Jrr) -> None:
    found = json.loads(jrr("plan", "--subscribe", "toy:trade:*USD", "--json").stdout)
    (row,) = found["stores"][0]["subscriptions"]
    assert (row["symbols"], row["rows_per_day"], found["notes"]) == (2, 2 * 45 * DAY, [])
    assert row["fresh_bytes_per_day"] is None


def test_a_store_that_does_not_say_its_sizes_is_told_them(configured: Path, jrr: Jrr) -> None:
    spec = ("--subscribe", "toy:trade:BTCUSD")
    assert "shelf does not say; set plan.row_bytes.trade" in jrr("plan", *spec).stdout
    found = json.loads(jrr("plan", *spec, "--json", "--set", "plan.row_bytes.trade=100").stdout)
    assert subscribed(found)["toy:trade:BTCUSD"]["kept_bytes_per_day"] == 45 * DAY * 100


def test_a_symbol_the_exchange_does_not_list_is_told(configured: Path, jrr: Jrr) -> None:
    result = jrr("plan", "--subscribe", "toy:trade:BTCUSDD")
    assert (result.exit_code, "did you mean BTCUSD" in result.stderr) == (2, True)


def test_rates_are_overridden_by_file_and_command_line(quick: Path, jrr: Jrr) -> None:
    with (quick / "jrr.toml").open("a") as file:
        file.write('\n[plan.rates]\nmajor.trade = 60\ncandle = 2\n"binance:ethusdt@depth5@100ms" = 0.5\n')
    rows = subscribed(json.loads(jrr("plan", "--json").stdout))
    assert [row["events_per_s"] for row in rows.values()] == pytest.approx([60, 2, 0.5, 1 / 3])
    rows = subscribed(json.loads(jrr("plan", "--json", "--set", "plan.rates.major.spot.trade=7").stdout))
    assert (rows["binance:btcusdt@trade"]["events_per_s"], rows["binance:btcusdt@trade"]["rate"]) == (
        7, "major.spot.trade",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("plan.rates.major.trde=1", "did you mean major.trade?"),
        ("plan.rates.binance:btcusdt@trades=1", "is not subscribed; did you mean binance:btcusdt@trade?"),
        ("plan.row_bytes.trades=1", "did you mean trade?"),
        ("plan.rates.trade=many", "plan.rates.trade = 'many' is not a number"),
        ("plan.rate.trade=1", "did you mean rates?"),
    ],
)
def test_wrong_settings_are_refused_by_name(quick: Path, jrr: Jrr, setting: str, text: str) -> None:
    result = jrr("plan", "--set", setting)
    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr


def test_nothing_subscribed_is_the_error_of_a_run(folder: Path, jrr: Jrr) -> None:
    planned, run = jrr("plan"), jrr("run")
    assert planned.exit_code == run.exit_code == 2
    assert planned.stderr == run.stderr


def test_several_stores_are_planned_each(configured: Path, jrr: Jrr) -> None:
    found = json.loads(jrr("plan", "--plugins", "toy,sqlite", "--subscribe", "toy:trade:BTCUSD", "--json").stdout)
    assert [store["store"] for store in found["stores"]] == ["shelf", "sqlite"]
    assert subscribed(found, 1)["toy:trade:BTCUSD"]["fresh_bytes_per_day"] == 45 * DAY * 54


def collect(folder: Path, hours: float, per_hour: int, symbol: str = "BTCUSDT") -> None:
    """Store what a run of so many hours collects of one symbol's trades."""
    end = T0 + int(hours * HOUR)
    step = HOUR // per_hour
    events: list[Message] = [Connected("binance", symbol, None, T0, "trade", "one", ts_from=T0)]
    events += [
        Trade("binance", symbol, ts, ts + 1000, Decimal("61837.63000000"), Decimal("0.00020000"), "buy", str(ts))
        for ts in range(T0, end, step)
    ]
    events.append(Disconnected("binance", symbol, None, end, "trade", "one", "stopped", ts_to=end))

    async def write() -> None:
        sink = SqliteSink(StorageConfig(path=str(folder / "market.db")))
        await sink.open()
        await sink.write(events)
        await sink.close()

    asyncio.run(write())


def test_the_store_is_put_beside_the_plan(quick: Path, jrr: Jrr) -> None:
    collect(quick, 48, 1800)
    spec = ("plan", "--from-store", "--subscribe", "binance:trade:BTCUSDT")
    found = json.loads(jrr(*spec, "--json").stdout)
    (row,) = found["subscriptions"]
    assert (row["planned_rows"], row["covered_s"], row["whole_day"]) == (45 * DAY, 2 * DAY, True)
    assert row["rows"] == pytest.approx(0.5 * DAY, rel=0.001)
    assert row["ratio"] == pytest.approx(0.5 / 45, rel=0.001)
    assert row["bytes"] == pytest.approx((quick / "market.db").stat().st_size / 2, rel=0.05)
    result = jrr(*spec)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-4:-1] == ["[plan.rates]", '"binance:trade:BTCUSDT" = 0.5', ""]
    assert "*" not in result.stdout.splitlines()[2]


def test_the_rates_it_proposes_make_the_plan_fit(quick: Path, jrr: Jrr) -> None:
    collect(quick, 25, 1800)
    with (quick / "jrr.toml").open("a") as file:
        file.write('\n[plan.rates]\n"binance:trade:BTCUSDT" = 0.5\n')
    result = jrr("plan", "--from-store", "--subscribe", "binance:trade:BTCUSDT")
    assert "The plan fits within 5%." in result.stdout
    assert "[plan.rates]" not in result.stdout


def test_less_than_a_day_is_marked_and_less_than_an_hour_not_compared(quick: Path, jrr: Jrr) -> None:
    collect(quick, 2, 1800)
    collect(quick, 0.5, 1800, "ETHUSDT")
    both = ("--subscribe", "binance:trade:BTCUSDT", "--subscribe", "binance:trade:ETHUSDT")
    result = jrr("plan", "--from-store", *both)
    assert result.exit_code == 0
    btc, eth = result.stdout.splitlines()[2:4]
    assert btc.split()[4:6] == ["2.0", "h*"]
    assert eth.split()[2:] == ["30", "min", "3,888,000", "?", "-", "210", "MB", "?"]
    assert "* collected for less than a day" in result.stdout
    assert "Less than an hour says nothing of a day" in result.stdout
    assert '"binance:trade:ETHUSDT"' not in result.stdout


def test_a_pattern_is_compared_by_the_symbols_the_store_has(quick: Path, jrr: Jrr) -> None:
    collect(quick, 25, 1800)
    collect(quick, 25, 900, "NKNUSDT")
    spec = ("--subscribe", "binance:trade:*USDT", "--set", "plan.symbols.binance:trade:*USDT=400")
    (row,) = json.loads(jrr("plan", "--from-store", "--json", *spec).stdout)["subscriptions"]
    assert (row["streams"], row["measured"], row["planned_rows"]) == (2, 2, pytest.approx(45.1 * DAY))
    assert row["rows"] == pytest.approx(0.75 * DAY, rel=0.001)


def test_a_pattern_of_which_nothing_is_stored_is_told(quick: Path, jrr: Jrr) -> None:
    collect(quick, 2, 60)
    result = jrr("plan", "--from-store", "--subscribe", "binance:quote:*")
    assert result.exit_code == 0
    assert "not compared: binance:quote:*; the store holds none of its streams" in result.stdout


def test_a_store_that_is_not_there_is_told(quick: Path, jrr: Jrr) -> None:
    result = jrr("plan", "--from-store")
    assert result.exit_code == 2
    assert "there is no file market.db; collect something first" in result.stderr


def test_a_store_that_cannot_be_measured_is_told(configured: Path, jrr: Jrr) -> None:
    result = jrr("plan", "--from-store", "--subscribe", "toy:trade:BTCUSD")
    assert result.exit_code == 2
    assert "no store that can be measured is configured (there is: shelf)" in result.stderr


@pytest.mark.parametrize(
    ("size", "text"),
    [(None, "?"), (0, "0 B"), (999.4, "999 B"), (999.6, "1.00 kB"), (54_321, "54.3 kB"), (209_952_000, "210 MB"),
     (9.996e9, "10.0 GB"), (999.6e9, "1.00 TB"), (5e15, "5000 TB")],
)  # fmt: skip
def test_sizes_are_in_decimal_units_of_three_digits(size: float | None, text: str) -> None:
    assert amount(size) == text
