"""A symbol is found by its native name, its canonical name or a pattern, and never by accident."""

from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.errors import ConfigError
from jrr_core.instrument import Instrument, Instruments


def listed(symbol: str, canonical: str, **changes: Any) -> Instrument:
    base, _, quote = canonical.partition("-")
    made = Instrument("example", symbol, base, quote, None, "spot", Decimal("0.1"), None, None, None, canonical)
    return attrs.evolve(made, **changes)


BTC = listed("BTCUSDT", "BTC-USDT")
ETH = listed("ETHUSDT", "ETH-USDT")
OLD = listed("LUNAUSDT", "LUNA-USDT", active=False)
instruments = Instruments("example", [BTC, ETH, OLD])


@pytest.mark.parametrize("asked", ["BTCUSDT", "btcusdt", "BTC-USDT", "btc-usdt"])
def test_native_and_canonical_names_are_found_in_any_case(asked: str) -> None:
    assert instruments.resolve(asked) == ("BTCUSDT",)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("*USDT", ["BTCUSDT", "ETHUSDT"]), ("*", ["BTCUSDT", "ETHUSDT"]), ("BTC-*", ["BTCUSDT"]), ("?TH*", ["ETHUSDT"])],
)
def test_patterns_take_active_instruments_only(pattern: str, found: list[str]) -> None:
    assert instruments.resolve(pattern) == found


def test_an_inactive_instrument_is_found_by_name() -> None:
    assert instruments.resolve("LUNAUSDT") == ("LUNAUSDT",)


@pytest.mark.parametrize("asked", ["BTCUSD", "BTCUSDTT", "btc/usdt"])
def test_unknown_symbols_name_the_nearest_and_the_command_that_lists_them(asked: str) -> None:
    with pytest.raises(ConfigError, match=r"did you mean .*BTC.*`jrr instruments example`"):
        instruments.resolve(asked)


@pytest.mark.parametrize("asked", ["", "ZZZZZZZZ", "XYZ*"])
def test_hopeless_symbols_are_refused_without_a_guess(asked: str) -> None:
    with pytest.raises(ConfigError, match="example") as raised:
        instruments.resolve(asked)
    assert "did you mean" not in str(raised.value)


def test_a_canonical_name_means_the_instrument_that_trades() -> None:
    relisted = Instruments("example", [listed("BTCUSDT_1", "BTC-USDT", active=False), listed("BTCUSDT_2", "BTC-USDT")])
    assert relisted.resolve("BTC-USDT") == ("BTCUSDT_2",)


def test_native_name_goes_before_canonical_name() -> None:
    both = Instruments("example", [listed("BTC-USDT", "BTC-USDT-PERP"), listed("btcusdt", "BTC-USDT")])
    assert both.resolve("BTC-USDT") == ("BTC-USDT",)


def test_symbols_with_small_letters_are_found_by_their_canonical_name() -> None:
    assert Instruments("example", [listed("kPEPE", "kPEPE-USDT")]).resolve("kPEPE-USDT") == ("kPEPE",)


def test_length_counts_symbols() -> None:
    assert len(instruments) == 3
    assert instruments.by_symbol["ETHUSDT"] is ETH


@given(st.text(max_size=12))
def test_any_text_gives_listed_symbols_or_config_error(text: str) -> None:
    try:
        found = instruments.resolve(text)
    except ConfigError:
        return
    assert found
    assert set(found) <= set(instruments.by_symbol)
