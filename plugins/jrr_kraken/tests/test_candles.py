"""Candles close by their successor; empty intervals between are told, so that nobody asks for them."""

from decimal import Decimal

import pytest
from jrr_kraken.candles import CandleStream
from jrr_kraken.messages import candle, read_candles

from jrr_core.errors import ParseError
from jrr_core.events import Candle
from jrr_core.frame import Absent, Hole

MINUTE = 60 * 10**9
START = 1_696_436_700 * 10**9


def text(minute: int, close: str = "1", second: str = "00") -> bytes:
    return (
        f'[{{"symbol":"X/Y","interval":1,"interval_begin":"2023-10-04T16:{25 + minute}:{second}.000000000Z",'
        f'"open":1,"high":2,"low":0.5,"close":{close},"volume":3.50,"vwap":1,"trades":4}}]'
    ).encode()


def read(minute: int, close: str = "1") -> Candle:
    (row,) = read_candles(text(minute, close))
    return candle(row, "1m", minute)


class Recorder:
    """A stream of minutes, and what it told to be empty."""

    def __init__(self) -> None:
        self.empty: list[Absent] = []
        self.stream = CandleStream("X/Y", 1, self.empty.append)

    def take(self, minute: int, close: str = "1") -> list[tuple[int, str, bool]]:
        events = self.stream.receive(read(minute, close))
        return [((e.open_time - START) // MINUTE, str(e.close), e.closed) for e in events if isinstance(e, Candle)]


def test_a_candle_is_closed_by_the_next_one_with_its_last_numbers() -> None:
    recorder = Recorder()
    assert recorder.take(0, "1") == [(0, "1", False)]
    assert recorder.take(0, "2") == [(0, "2", False)]
    assert recorder.take(1, "3") == [(0, "2", True), (1, "3", False)]
    assert recorder.empty == []


def test_intervals_between_are_told_to_be_empty() -> None:
    recorder = Recorder()
    recorder.take(0)
    recorder.take(4)
    assert recorder.empty == [Absent(Hole("candle_1m", "X/Y", None, START + MINUTE, START + 3 * MINUTE, 3))]


def test_a_candle_that_is_over_tells_nothing() -> None:
    recorder = Recorder()
    recorder.take(2)
    assert recorder.take(1) == []
    assert recorder.take(3) == [(2, "1", True), (3, "1", False)]


def test_numbers_are_those_on_the_wire() -> None:
    assert (read(0).volume, read(0).trade_count, read(0).quote_volume) == (Decimal("3.50"), 4, None)


def test_a_candle_begins_at_its_boundary() -> None:
    (row,) = read_candles(text(0, second="30"))
    with pytest.raises(ParseError, match="no candle of 1 minutes begins"):
        candle(row, "1m", 0)
