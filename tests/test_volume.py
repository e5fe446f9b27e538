"""Channels with depths or intervals are weighed as one family; a sink is measurable when it has both halves."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest

from jrr_core.volume import Measurable, RowBytes, StreamVolume, family


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("candle_1m", "candle"),
        ("candle_1d@+08:00", "candle"),
        ("book_snapshot_20", "book_snapshot"),
        ("book", "book"),
        ("mark_price", "mark_price"),
    ],
)
def test_a_family_has_neither_depth_nor_interval(channel: str, expected: str) -> None:
    assert family(channel) == expected


def test_a_sink_that_cannot_measure_is_not_measurable() -> None:
    class Known:
        row_bytes: ClassVar[Mapping[str, RowBytes]] = {"trade": RowBytes(56, 56)}

    class Measured(Known):
        async def volume(self) -> Sequence[StreamVolume]:
            return ()

    assert not isinstance(Known(), Measurable)
    assert isinstance(Measured(), Measurable)
