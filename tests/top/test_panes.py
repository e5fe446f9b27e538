"""Rates come from two answers, rows sort by what they mean, and nothing but text comes out."""

import unicodedata

import pytest

from jrr_core.top.client import NoAnswer
from jrr_core.top.drawing import fitting, row_line, safe, title_line
from jrr_core.top.panes import age, reading
from jrr_core.top.snapshot import snapshot
from tests.top.sample import HOSTILE, stats, stream


def test_rates_are_what_has_grown_between_two_answers() -> None:
    before = stats(stream("A", 10))
    after = stats(stream("A", 30), stream("B", 99), uptime_s=14.0)
    after["exchanges"]["toy"]["frames"] = 180
    made = reading(after, before)
    streams, exchanges, *_ = made.panes
    assert [row.values[4] for row in streams.rows] == [5.0, 0.0], "what is new has no rate yet"
    assert exchanges.rows[0].values[2] == 20.0


def test_a_collector_that_began_anew_has_no_rate_yet() -> None:
    made = reading(stats(stream("A", 3), uptime_s=1.0, started_ns=9), stats(stream("A", 900)))
    assert made.panes[0].rows[0].values[4] == 0.0


def test_rows_sort_by_values_and_unknown_ones_come_last() -> None:
    pane = reading(stats(stream("B", 9), stream("A", 100, last_ns=None), stream("C", 20)), None).panes[0]
    assert [row.texts[1] for row in pane.chosen("", 9, True)] == ["A", "C", "B"]
    assert [row.texts[1] for row in pane.chosen("", 1, False)] == ["A", "B", "C"]
    assert pane.chosen("", 5, False)[-1].texts[1] == "A"


def test_words_choose_rows_that_have_them_all() -> None:
    pane = reading(stats(stream("BTCUSDT"), stream("ETHUSDT"), stream("BTCEUR")), None).panes[0]
    assert [row.texts[1] for row in pane.chosen("btc TRADE usdt", 0, False)] == ["BTCUSDT"]


def test_alarms_bring_their_cure() -> None:
    alarm = {"name": "clock_skew", "exchange": "toy", "subject": "toy", "text": "3 s", "cure": "NTP", "since_ns": 1}
    pane = reading(stats(alarms=[alarm]), None).panes[3]
    assert pane.rows[0].texts[2:] == ("toy", "3 s", "NTP")


@pytest.mark.parametrize("lost", ["frames", "sessions", "streams_", "events"])
def test_stats_of_another_version_are_one_sentence(lost: str) -> None:
    odd = stats(stream("A"))
    exchange = odd["exchanges"]["toy"]
    if lost == "streams_":
        exchange["streams"] = [{"channel": 1}]
    else:
        del exchange[lost]
    with pytest.raises(NoAnswer, match=r"the collector is of jrr 1\.2\.3 and tells other stats"):
        reading(odd, None)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("width", [60, 80, 200])
def test_hostile_texts_stay_in_their_column_and_on_their_line(text: str, width: int) -> None:
    odd = stats(stream(text), stream("A", trouble=text))
    odd["exchanges"]["toy"]["trouble"] = text
    for line in snapshot(reading(odd, None), width):
        assert line.isprintable()
        assert sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line) <= width


def test_what_is_cut_says_so() -> None:
    assert safe("abcdef", 6) == "abcdef"
    assert safe("abcdefg", 6) == "abcde…"
    assert safe("币币币币", 5) == "币币…"
    assert safe("a\x1bb", 20) == "a\\u001bb"


def test_columns_that_do_not_fit_are_left_out_from_the_right() -> None:
    columns = reading(stats(stream("A")), None).panes[0].columns
    for width, last in ((80, "last price"), (60, "state"), (200, "trouble")):
        fit = fitting(columns, width)
        assert len(title_line(fit)) <= width
        assert fit[-1].title in (last, "age", "/s"), width
    row = reading(stats(stream("A")), None).panes[0].rows[0]
    assert "61837.63" in row_line(fitting(columns, 80), row)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0s"), (42, "42s"), (600, "10m"), (3 * 3600, "180m"[:0] + "3.0h"), (9e5, "10d")]
)
def test_spans_are_short(seconds: float, text: str) -> None:
    assert age(seconds) == text
