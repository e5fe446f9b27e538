"""The candle printer against the rules every subscriber keeps, and its own promises."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jrr_candleprinter import CandlePrinter, CandlePrinterSettings, jrr_subscribers, line

from jrr_core.candles import resampled
from jrr_core.errors import ConfigError
from jrr_core.events import Trade
from jrr_core.testing.samples import START
from jrr_core.testing.subscriber_suite import SubscriberSuite

S = 1_000_000_000
FIRST = "2024-01-01 00:00:00 sim BTC-USD 1s"


class TestCandlePrinter(SubscriberSuite):
    def make_subscriber(self) -> CandlePrinter:
        return CandlePrinter(CandlePrinterSettings())


def trade(at_s: float, price: str, amount: str = "1", **more: Any) -> Trade:
    ts = START + round(at_s * S)
    values: dict[str, Any] = {"exchange": "sim", "symbol": "BTC-USD", "ts_event": ts, "ts_recv": ts + S // 100} | more
    return Trade(price=Decimal(price), amount=Decimal(amount), side=None, trade_id="1", **values)


def told(*batches: list[Trade], wait_s: float = 0.5) -> CandlePrinter:
    printer = CandlePrinter(CandlePrinterSettings(interval="1s", wait_s=wait_s))
    for batch in batches:
        asyncio.run(printer.notify(batch))
    return printer


def test_the_plugin_offers_the_subscriber() -> None:
    assert [*jrr_subscribers()] == [CandlePrinter]


def test_a_candle_is_printed_once_when_its_end_and_the_wait_are_over(capsys: pytest.CaptureFixture[str]) -> None:
    first = [trade(0.1, "10", "0.10"), trade(0.5, "12"), trade(0.9, "9.50", "2", count=3)]
    told(first, [trade(1.4, "11")])
    assert capsys.readouterr().out == ""
    told(first, [trade(1.4, "11")], [trade(1.5, "11")], [trade(1.6, "11")])
    assert capsys.readouterr().out == f"{FIRST} 10 12 9.50 9.50 3.10 5\n"


def test_a_late_trade_counts_until_the_candle_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    printer = told([trade(0.5, "10")], [trade(1.2, "20")], [trade(0.2, "8")], [trade(1.5, "20")], [trade(0.7, "99")])
    assert capsys.readouterr().out == f"{FIRST} 8 10 8 10 2 2\n"
    assert printer.late == 1


def test_another_symbol_of_the_exchange_tells_the_time_and_another_exchange_does_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told([trade(0.5, "10")], [trade(9, "1", exchange="other")])
    assert capsys.readouterr().out == ""
    told([trade(0.5, "10")], [trade(1.5, "1", symbol="ETH-USD")])
    assert capsys.readouterr().out == f"{FIRST} 10 10 10 10 1 1\n"


def test_a_trade_dated_in_the_future_closes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    printer = told([trade(0.5, "10")], [trade(99, "10", ts_recv=START + S)], [trade(0.6, "11")])
    assert (capsys.readouterr().out, printer.late) == ("", 0)


def test_numberings_of_one_symbol_are_not_added_up(capsys: pytest.CaptureFixture[str]) -> None:
    told([trade(0.5, "10"), trade(0.5, "10", id_space="agg")], [trade(2, "10")])
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"{FIRST} 10 10 10 10 1 1", f"{FIRST.replace('USD', 'USD@agg')} 10 10 10 10 1 1"]


def test_an_interval_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not an interval"):
        CandlePrinterSettings(interval="soon")


@given(st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 9)), unique_by=lambda drawn: drawn[0]))
def test_trades_in_any_order_make_the_candles_that_they_make_in_order(drawn: list[tuple[int, int]]) -> None:
    trades = [trade(ms / 1000, str(price), f"0.{price}") for ms, price in drawn]
    expected = [line(candle) for candle in resampled(sorted(trades, key=lambda each: each.ts_event or 0), "1s")]
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr("builtins.print", printed.append)
        told(trades, [trade(99, "1")], wait_s=10)
    assert printed == expected
