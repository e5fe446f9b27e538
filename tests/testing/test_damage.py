"""Damaged frames: the same for the same seed, and damaged indeed."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis.strategies import SearchStrategy

from jrr_core.frame import Frame
from jrr_core.testing import damage
from jrr_core.wire import decode

FRAME = Frame("example", '{"c":"trade","rows":[["101","61837.630",null],["é",1.5,true]]}', 1, "tag")
KINDS = (damage.noise, damage.cut, damage.flip, damage.replace_value)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_does_the_same_damage(kind: damage.Damage) -> None:
    assert [kind(FRAME, Random(seed)) for seed in range(50)] == [kind(FRAME, Random(seed)) for seed in range(50)]
    assert len({kind(FRAME, Random(seed)).payload for seed in range(50)}) > 10


@given(damage.value_replaced(FRAME))
def test_a_replaced_value_leaves_json(frame: Frame) -> None:
    assert damage.cut(frame, Random(0)).tag == "tag"
    decode(frame.payload)


@pytest.mark.parametrize("make", [damage.truncated, damage.bit_flipped, damage.value_replaced])
def test_empty_frames_are_taken_too(make: Callable[[Frame], SearchStrategy[Frame]]) -> None:
    empty = Frame("example", "", 1)

    @given(make(empty))
    def check(frame: Frame) -> None:
        assert frame.payload in ("", b"")

    check()


def test_json_without_parts_is_replaced_as_a_whole() -> None:
    assert damage.replace_value(Frame("example", "7", 1), Random(1)).payload != b"7"
