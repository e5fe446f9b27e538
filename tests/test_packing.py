"""Events as bytes: what comes back equals what went in, in this version and the next."""

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from attrs import define, fields
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.errors import ParseError
from jrr_core.events import ALL_EVENTS, MARKET_EVENTS, Message, Trade
from jrr_core.instrument import Instrument
from jrr_core.levels import Levels
from jrr_core.packing import KINDS, Kinds, Packing, Unpackable, kinds_of, pack, unpack
from jrr_core.testing.samples import samples
from tests.toy import trade

CLASSES: tuple[type, ...] = (*ALL_EVENTS, Instrument)

decimals = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False),
    st.sampled_from([Decimal(text) for text in ("0", "-0", "1.500", "1E-18", "1E+5", "9" * 30)]),
)
digits = st.from_regex(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
levels = st.lists(st.tuples(digits, digits), max_size=4).map(Levels)
plain: Mapping[Any, st.SearchStrategy[Any]] = {
    str: st.text(st.characters(codec=None)),
    int: st.integers(),
    bool: st.booleans(),
    Decimal: decimals,
    Levels: levels,
    NoneType: st.none(),
}


def unpacked(payload: bytes, kinds: Kinds = KINDS) -> list[Any]:
    return list(unpack(payload, kinds))


def values(hint: Any) -> st.SearchStrategy[Any]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in (Union, UnionType):
        return st.one_of([values(each) for each in inner])
    if origin is tuple:
        return st.tuples(*[values(each) for each in inner])
    return plain[hint]


def events_of(kind: type) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{attribute.name: values(hints[attribute.name]) for attribute in fields(kind)})


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_the_kit_s_samples_come_back_digit_for_digit(kind: type) -> None:
    events = list(samples(kind))
    found = unpacked(pack(events))
    assert found == events
    assert list(map(repr, found)) == list(map(repr, events))


@given(st.lists(st.one_of([events_of(kind) for kind in CLASSES]), max_size=6))
def test_whatever_events_hold_comes_back(events: list[Any]) -> None:
    found = unpacked(pack(events))
    assert found == events
    assert [type(event) for event in found] == [type(event) for event in events]
    assert list(map(repr, found)) == list(map(repr, events))


def test_levels_that_came_as_json_come_back() -> None:
    snapshot = samples(CLASSES[2])[0]
    snapshot.bids = Levels.from_json(b'[["1.10","2"],["1.0","0"]]')
    assert unpacked(pack([snapshot])) == [snapshot]


def test_an_event_that_cannot_be_packed_comes_back_as_text_and_harms_no_other() -> None:
    class Silent:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    odd = trade(2)
    odd.kind = object()  # type: ignore[assignment]  # that is the point
    first, second, third, fourth, fifth = unpacked(pack([trade(1, ts_recv=1), odd, "text \ud800", Silent(), trade(3)]))
    assert (first.trade_id, fifth.trade_id) == ("1", "3")
    assert isinstance(second, Unpackable)
    assert "trade_id='2'" in second.content
    assert "nothing an event may hold" in second.reason
    assert third.content == r"'text \ud800'"
    assert "ZeroDivisionError" in fourth.content


def test_the_size_grows_with_what_is_added() -> None:
    packing = Packing()
    packing.add(trade(1))
    first = packing.size
    packing.add(trade(2))
    assert (len(packing), first > 30, packing.size > first) == (2, True, True)


@define
class Later(Message):
    """A class of a plugin's own, as a later version has it."""

    price: Decimal
    extra: int = 7
    type = "own"


@define
class Earlier(Message):
    """The same class in an earlier version."""

    price: Decimal
    type = "own"


def test_a_later_version_reads_what_an_earlier_one_wrote_and_the_other_way_round() -> None:
    old, new = Earlier("x", "s", None, 1, Decimal("1.50")), Later("x", "s", None, 1, Decimal("1.50"), 9)
    assert unpacked(pack([old]), kinds_of([Later])) == [Later("x", "s", None, 1, Decimal("1.50"), 7)]
    assert unpacked(pack([new]), kinds_of([Earlier])) == [old]


def test_a_class_of_a_plugin_without_a_type_goes_by_its_name() -> None:
    @define
    class Own:
        number: int

    assert unpacked(pack([Own(1)]), kinds_of([Own])) == [Own(1)]
    (stranger,) = unpacked(pack([Own(1)]))
    assert isinstance(stranger, Unpackable)
    assert ("Own [1]" in stranger.content, "there is no event class" in stranger.reason) == (True, True)


@pytest.mark.parametrize("payload", [b"", b"\xc1", pack([trade(1)])[:-3], b"\x92\x90", b"\x92\x90\x91\x01"])
def test_what_is_no_payload_is_told(payload: bytes) -> None:
    with pytest.raises(ParseError):
        unpack(payload)


@pytest.mark.parametrize(
    ("tables", "row"),
    [([["trade", ["exchange"]]], [0, ["x"]]), ([], [3, ["x"]]), ([], [-1, [1, 2, 3]]),
     ([["trade", ["price"]]], [0, ["no number"]]), ([["book_delta", ["bids"]]], [0, ["no levels"]])],
)  # fmt: skip
def test_a_row_no_event_can_be_made_of_harms_no_other(tables: list[Any], row: list[Any]) -> None:
    payload = msgspec.msgpack.encode([[*tables, ["mark_price", ["exchange"]]], [row, row]])
    found = unpacked(payload)
    assert len(found) == 2
    assert all(isinstance(each, Unpackable) for each in found)


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with suppress(ParseError):
        unpacked(data)


def test_every_event_class_is_known() -> None:
    assert set(KINDS.values()) == set(CLASSES)
    assert KINDS["trade"] is Trade
    assert set(MARKET_EVENTS) <= set(KINDS.values())
