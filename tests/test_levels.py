"""Levels keep the exchange's text, are checked when made, and read the same however they came."""

import json
import pickle
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.errors import ParseError
from jrr_core.levels import EMPTY, Levels

numbers = st.from_regex(r"-?[0-9]{1,12}(\.[0-9]{1,18})?([eE]-?[0-9]{1,2})?", fullmatch=True).filter(str.isascii)
pairs = st.lists(st.tuples(numbers, numbers), max_size=8)


@given(pairs, st.sampled_from([(",", ":"), (", ", ": ")]), st.integers(0, 2))
def test_json_rows_and_pairs_give_equal_levels(rows: list[tuple[str, str]], spacing: Any, extra: int) -> None:
    wide = [[*row, *["0"] * extra] for row in rows]
    raw = json.dumps(wide, separators=spacing).encode()
    assert Levels.from_json(raw) == Levels.from_rows(wide) == Levels(rows)
    assert hash(Levels.from_json(raw)) == hash(Levels(rows))


@given(pairs)
def test_text_form_is_compact_json_and_reads_back(rows: list[tuple[str, str]]) -> None:
    levels = Levels(rows)
    assert levels.json() == json.dumps(rows, separators=(",", ":"))
    assert Levels.from_json(levels.json().encode()).json() == levels.json()


@given(pairs)
def test_levels_are_a_sequence_in_the_order_sent(rows: list[tuple[str, str]]) -> None:
    levels = Levels.from_json(json.dumps(rows).encode())
    assert list(levels) == rows
    assert len(levels) == len(rows)
    assert [levels[i] for i in range(len(rows))] == rows
    assert levels[:2] == tuple(rows[:2])
    assert levels.decimals() == [(Decimal(price), Decimal(amount)) for price, amount in rows]
    assert levels.floats() == [(float(price), float(amount)) for price, amount in rows]


@given(pairs)
def test_levels_survive_pickling(rows: list[tuple[str, str]]) -> None:
    assert pickle.loads(pickle.dumps(Levels(rows))) == Levels(rows)


def test_digits_are_kept_as_sent() -> None:
    levels = Levels.from_json(b'[["61837.630","3.7880"],["1e-8","0"]]')
    assert levels.json() == '[["61837.630","3.7880"],["1e-8","0"]]'
    assert str(levels.decimals()[0][1]) == "3.7880"


def test_no_levels_are_empty() -> None:
    assert Levels() == EMPTY == Levels.from_json(b"[]") == Levels.from_rows([])
    assert not EMPTY
    assert EMPTY.json() == "[]"


@pytest.mark.parametrize(
    "rows",
    [
        [("", "1")], [("1", "")], [("NaN", "1")], [("1", "Infinity")], [("1", "abc")], [("1 ", "1")],
        [("1,2;3", "4")], [("1", "2;3,4")], [("1", "2,3")], [("1,2;3,4", "5")], [("1;2", "3")],
    ],
)  # fmt: skip
def test_texts_that_are_no_numbers_are_refused_however_they_come(rows: list[tuple[str, str]]) -> None:
    with pytest.raises(ParseError):
        Levels(rows)
    with pytest.raises(ParseError):
        Levels.from_rows(rows)
    with pytest.raises(ParseError):
        Levels.from_json(json.dumps(rows).encode())


@pytest.mark.parametrize("row", [["1"], [], [1, "2"], ["1", 2.5], ["1", None], None, 7, {"price": "1"}])
def test_rows_of_another_shape_are_a_parse_error(row: Any) -> None:
    with pytest.raises(ParseError):
        Levels.from_rows([row])
    with pytest.raises(ParseError):
        Levels.from_json(json.dumps([row]).encode())


@given(st.binary(max_size=60) | st.text(alphabet='[]",.0123456789eE- ;:{}nul\\', max_size=40).map(str.encode))
def test_any_bytes_give_readable_levels_or_parse_error(raw: bytes) -> None:
    try:
        levels = Levels.from_json(raw)
    except ParseError:
        return
    assert all(price.is_finite() and amount.is_finite() for price, amount in levels.decimals())
    assert json.loads(levels.json()) == [list(pair) for pair in levels]


def test_levels_equal_nothing_else() -> None:
    assert Levels([("1", "2")]) != [("1", "2")]
    assert repr(Levels([("1", "2")])) == 'Levels([["1","2"]])'
