"""The table of rates: every stream finds a figure, the most particular key counts, and the page shows it all."""

from pathlib import Path

import pytest

from jrr_core.rates import CLASSES, KEYS, LARGE, MARKETS, TABLE, class_of, keys, read_symbol
from jrr_core.subscription import CHANNELS

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "planning.md").read_text("utf-8")


@pytest.mark.parametrize("channel", [*CHANNELS, "candle_1d@+08:00"])
def test_every_stream_finds_a_figure_with_its_source(channel: str) -> None:
    for symbol_class in CLASSES:
        for market in MARKETS:
            key = next(key for key in keys(symbol_class, market, channel) if key in TABLE)
            assert TABLE[key].per_s > 0
            assert TABLE[key].source
            assert bool(TABLE[key].levels) == channel.startswith("book")


def test_the_most_particular_key_comes_first() -> None:
    assert keys("major", "spot", "book_snapshot_5") == [
        "major.spot.book_snapshot_5", "major.spot.book_snapshot", "major.book_snapshot_5", "major.book_snapshot",
        "spot.book_snapshot_5", "spot.book_snapshot", "book_snapshot_5", "book_snapshot",
    ]  # fmt: skip
    assert set(keys("major", "spot", "candle_1m")) <= set(KEYS)
    assert set(TABLE) <= set(KEYS)


def test_candles_are_one_an_interval() -> None:
    assert TABLE["candle_1m"].per_s * 86_400 == 1440
    assert TABLE["candle_1s"].per_s == 1


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("BTCUSDT", ("major", None)),
        ("ethbtc", ("major", None)),
        ("BTC-USDT", ("major", "spot")),
        ("SOL/USD", ("large", "spot")),
        ("BTC_USDT", ("major", None)),
        ("BTCUSD_PERP", ("major", "perpetual")),
        ("XRP-USDT-SWAP", ("large", "perpetual")),
        ("1000SHIBUSDT", ("large", None)),
        ("BTC-USDT-PERP", ("major", "perpetual")),
        ("BTCUSDT_261225", ("other", "perpetual")),
        ("BTC-USD-261225", ("other", "perpetual")),
        ("NKNUSDT", ("other", None)),
    ],
)
def test_class_and_market_are_read_from_the_symbol(symbol: str, expected: tuple[str, str | None]) -> None:
    assert read_symbol(symbol) == expected


def test_a_base_keeps_its_class_in_thousands() -> None:
    assert (class_of("1000PEPE"), class_of("1INCH"), class_of("xbt")) == ("large", "other", "major")


def test_the_page_shows_the_table() -> None:
    for key, rate in TABLE.items():
        if not key.startswith("candle_") or key == "candle_1m":
            levels = f"{rate.levels:g}" if rate.levels else ""
            assert f"| `{key}` | {rate.per_s:.3g} | {levels} | {rate.source} |" in PAGE
    assert all(base in PAGE for base in LARGE)
