"""One codec: what it cannot read as the wanted shape is a ParseError and nothing else."""

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.errors import ParseError
from jrr_core.wire import Ignored, Raw, Struct, decode, decoder, encode, inspecting


class Shape(Struct):
    price: str
    rows: Raw = Raw(b"[]")
    count: int | None = None


read = decoder(Shape)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_what_is_written_reads_back(value: Any) -> None:
    assert decode(encode(value)) == value
    assert decode(encode(value).encode()) == value


@given(st.binary(max_size=80) | st.text(max_size=80))
def test_any_payload_is_read_or_a_parse_error(payload: str | bytes) -> None:
    for reader in (read, decode):
        try:
            reader(payload)
        except ParseError as error:
            assert str(error).startswith("not the expected JSON")  # noqa: PT017 - reading is the other right answer


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[" * 100_000, b"1" * 5_000, b"1e999", b"\xff", "\ud800", b'{"price":1}', b'{"price":null}', b"{}"],
)
def test_hostile_payloads_are_parse_errors(payload: str | bytes) -> None:
    with pytest.raises(ParseError):
        read(payload)


def test_the_error_says_where() -> None:
    with pytest.raises(ParseError, match=r"\$\.count"):
        read(b'{"price":"1","count":"many"}')


def test_unknown_fields_are_left_out() -> None:
    assert read(b'{"price":"1","new":[1,2]}') == Shape("1")


def test_raw_parts_stay_as_they_came() -> None:
    rows = read('{"price":"1","rows":[ ["1.0","2"] ]}').rows
    assert bytes(rows) == b'[ ["1.0","2"] ]'
    assert decoder(list[list[str]])(rows) == [["1.0", "2"]]


def test_written_text_is_compact() -> None:
    assert encode({"a": [1, "é"]}) == '{"a":[1,"é"]}'


def test_a_long_text_in_the_frame_does_not_make_a_long_error() -> None:
    kind = decoder(dict[Literal["a", "b"], int])
    with pytest.raises(ParseError) as failed:
        kind(encode({"x" * 100_000: 1}))
    assert len(str(failed.value)) < 400


def test_fields_that_nobody_knows_are_noticed_and_ignored_ones_are_not_by_struct() -> None:
    class Inner(Struct):
        a: int

    class Outer(Struct):
        inner: Inner

    payload = b'{"inner":{"a":1,"b":2,"c":3},"b":4,"c":5}'
    cases: list[tuple[Ignored, set[str]]] = [
        (("b", "c"), set()),
        (("b",), {"Inner.c", "Outer.c"}),
        ({Outer: ("b",), Inner: ("c",)}, {"Outer.c", "Inner.b"}),
    ]
    for ignored, expected in cases:
        read_outer = decoder(Outer, ignored)
        with inspecting() as found:
            read_outer(payload)
        assert found == expected
        read_outer(payload)
        assert found == expected
