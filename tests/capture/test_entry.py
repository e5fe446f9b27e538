"""Every kind of line a capture holds reads back as it was written."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.capture.entry import Line, Lost, Opened, parsed, written
from jrr_core.events import Gap
from jrr_core.frame import Frame
from jrr_core.lines import Damage
from jrr_core.sink import StreamKey
from jrr_core.subscription import Subscription
from jrr_core.tape import Begun, Ended, Looked, Received, Reopened, Resumed, Ruled, Sent, Unwanted, Wanted

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
times = st.integers(1, 2**63 - 1)
streams = st.lists(
    st.builds(Subscription, exchange=st.just("x"), channel=text, symbol=text, native=st.none() | text), max_size=3
).map(tuple)
gaps = st.builds(
    Gap, exchange=st.just("x"), symbol=text, ts_event=st.none() | times, ts_recv=times, what=text, session=text,
    reason=text, count=st.none() | st.integers(0, 10**9), ts_from=st.none() | times, ts_to=st.none() | times,
    sequences=st.none() | st.tuples(st.integers(0, 2**62), st.integers(0, 2**62)),
)  # fmt: skip
frames = st.builds(
    Frame, exchange=text, payload=text | st.binary(max_size=40), ts_recv=times, tag=st.none() | text,
    status=st.integers(100, 599),
)  # fmt: skip
where = {"exchange": st.just("x"), "session": text, "ts": times}
lines = st.one_of(
    st.builds(Received, session=text, frame=frames),
    st.builds(Begun, **where, url=text, subscriptions=st.none() | streams),
    st.builds(Sent, **where, text=text, tag=st.none() | text),
    st.builds(Wanted, **where, subscriptions=streams),
    st.builds(Unwanted, **where, subscriptions=streams),
    st.builds(Looked, **where),
    st.builds(Ended, **where, reason=text),
    st.builds(Ruled, exchange=st.just("x"), ts=times, settings=st.dictionaries(text, text | st.integers(0, 9))),
    st.builds(
        Resumed, exchange=st.just("x"), ts=times,
        points=st.dictionaries(st.builds(StreamKey, exchange=st.just("x"), channel=text, symbol=text), times),
    ),
    st.builds(Reopened, exchange=st.just("x"), ts=times, gaps=st.lists(gaps, max_size=3)),
    st.builds(Opened, run=text, number=st.integers(1, 99), ts=times, version=text),
    st.builds(Lost, count=st.integers(1, 10**9), ts=times),
)  # fmt: skip


@given(lines)
def test_every_line_reads_back(line: Line) -> None:
    packed = written(line)
    assert packed.count(b"\n") == 1
    assert parsed(packed.strip(), 1) == line


def test_a_frame_is_a_line_that_people_can_read() -> None:
    frame = Frame("x", b'{"a":1}', 1_723_161_255_030_314_667, "depth:BTC")
    assert written(Received("s.1", frame)) == (
        b'{"ts":1723161255030314667,"exchange":"x","session":"s.1","payload":"{\\"a\\":1}","tag":"depth:BTC"}\n'
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"ts":1,"act":"dance"}', "entry 'dance' is of a newer jrr: update jrr-core"),
        (b'{"ts":1,"payload":"","form":"zip"}', "payload form 'zip' is of a newer jrr"),
        (b'{"ts":1,"act":"begin","streams":7}', "not a capture entry"),
        (b'{"ts":-1}', "-1 is not a time"),
    ],
)
def test_what_this_version_does_not_know_is_damage_that_says_so(line: bytes, said: str) -> None:
    found = parsed(line, 7)
    assert isinstance(found, Damage)
    assert (found.line, said in found.reason) == (7, True)


def test_all_kinds_are_covered() -> None:
    kinds: Sequence[object] = Line.__args__
    assert {Received, Opened, Lost, Begun, Sent, Wanted, Unwanted, Looked, Ended, Ruled, Resumed, Reopened} == set(
        kinds
    )
