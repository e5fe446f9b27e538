"""Streams that say nothing: told once each, with what it may mean."""

import logging
import time

import pytest

from jrr_core.counters import ExchangeCounters
from jrr_core.silence import report_silence
from jrr_core.subscription import Subscription
from tests.toy import ToySettings, toy_desk

X = Subscription("toy", "trade", "X")


def test_a_silent_stream_is_told_once_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    counters = ExchangeCounters()
    desk = toy_desk(lambda events: None, counters)
    desk.board.expect("trade", "X", time.time_ns() - 10**9)
    settings = ToySettings(first_data_s=0.5)
    with caplog.at_level(logging.WARNING, "jrr"):
        for _ in range(3):
            report_silence([X], desk, settings, live=())
    assert counters.silent == 1
    assert [record.getMessage() for record in caplog.records] == [
        "toy:trade:X: subscribed, but nothing was ever received: a quiet symbol, "
        "or a stream this address does not serve"
    ]


def test_a_stream_nobody_has_asked_for_yet_is_no_matter() -> None:
    counters = ExchangeCounters()
    report_silence([X], toy_desk(lambda events: None, counters), ToySettings(), live=())
    assert counters.silent == 0
