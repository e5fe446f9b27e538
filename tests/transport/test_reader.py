"""The reader beside the library alone: the same bytes, however cut, mean the same."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import DATA_OPCODES, OP_PONG, Frame
from websockets.protocol import CLIENT, OPEN, Protocol

from jrr_core.transport.reader import Reader

MAX_BYTES = 300


def frame(
    first: int, payload: bytes, masked: bool = False, width: int | None = None, claimed: int | None = None
) -> bytes:
    """Return a frame; its length, or the `claimed` one, in so many bytes, or as few as do."""
    size, mask = len(payload) if claimed is None else claimed, 0x80 if masked else 0
    if width is None:
        width = 1 if size < 126 else 2 if size < 2**16 else 8
    if width == 1:
        head = bytes([first, mask | size])
    else:
        head = bytes([first, mask | (126 if width == 2 else 127)]) + size.to_bytes(width)
    return head + (b"\0\0\0\0" if masked else b"") + payload


class Outcome:
    """What came of some bytes."""

    def __init__(self) -> None:
        self.library = Protocol(CLIENT, max_size=MAX_BYTES)
        self.messages: list[bytes] = []
        self.pongs: list[bytes] = []
        self.answers: list[Frame] = []

    def known(self) -> tuple[object, ...]:
        """Return all that anyone can notice."""
        library = self.library
        return (
            self.messages, self.pongs, self.answers, library.state, library.close_rcvd, library.close_sent,
            library.close_rcvd_then_sent, type(library.parser_exc), library.eof_sent,
        )  # fmt: skip

    def note_answers(self) -> None:
        """Read what the library would send, whose masks are random."""
        server = Protocol(CLIENT.SERVER, max_size=None)
        server.receive_data(b"".join(self.library.data_to_send()))
        self.answers += [event for event in server.events_received() if isinstance(event, Frame)]


def by_the_library(pieces: Sequence[bytes], ends: bool) -> Outcome:
    outcome, parts = Outcome(), []
    for piece in pieces:
        outcome.library.receive_data(piece)
        for event in outcome.library.events_received():
            assert isinstance(event, Frame)
            if event.opcode in DATA_OPCODES:
                parts.append(bytes(event.data))
                if event.fin:
                    outcome.messages.append(b"".join(parts))
                    parts.clear()
            elif event.opcode is OP_PONG:
                outcome.pongs.append(bytes(event.data))
        outcome.note_answers()
    if ends:
        outcome.library.receive_eof()
    outcome.note_answers()
    return outcome


def by_the_reader(pieces: Sequence[bytes], ends: bool) -> Outcome:
    outcome = Outcome()
    reader = Reader(outcome.library, MAX_BYTES, outcome.pongs.append)
    for piece in pieces:
        reader.read(piece, lambda payload, ts_recv: outcome.messages.append(payload), 0)
        outcome.note_answers()
    if ends:
        outcome.library.receive_eof()
    outcome.note_answers()
    return outcome


payloads = st.one_of(st.binary(max_size=6), st.integers(0, MAX_BYTES + 2).map(lambda size: b"x" * size))
plain = st.builds(frame, st.sampled_from([0x81, 0x82]), payloads, width=st.sampled_from([None, 2, 8]))
parted = st.builds(
    lambda first, parts, between: (
        b"".join(
            frame((first if n == 0 else 0) | (0x80 if n == len(parts) - 1 else 0), part) + between
            for n, part in enumerate(parts)
        )
    ),
    st.sampled_from([1, 2]), st.lists(st.binary(max_size=130), min_size=1, max_size=4),
    st.sampled_from([b"", frame(0x89, b"ping"), frame(0x8A, b"pong")]),
)  # fmt: skip
control = st.builds(frame, st.sampled_from([0x89, 0x8A]), st.binary(max_size=126))
close = st.sampled_from([b"\x88\x00", frame(0x88, b"\x03\xe8"), frame(0x88, b"\x03\xf0why"), frame(0x88, b"\x00")])
odd = st.one_of(
    st.builds(frame, st.integers(0, 255), payloads, masked=st.booleans(), width=st.sampled_from([None, 8])),
    st.builds(frame, st.sampled_from([1, 0x81, 0x80]), st.just(b""), width=st.just(8),
              claimed=st.sampled_from([MAX_BYTES + 1, 2**32, 2**63, 2**64 - 1])),
)  # fmt: skip
# Plain frames are most of what comes.
streams = st.lists(st.one_of(plain, plain, plain, parted, control, st.one_of(plain, close, odd)), max_size=12)


@st.composite
def cut(draw: st.DrawFn) -> list[bytes]:
    """Return bytes a server may send, cut at any places."""
    whole = b"".join(draw(streams)) + draw(st.one_of(st.just(b""), st.binary(max_size=12)))
    at = sorted(draw(st.sets(st.integers(0, len(whole)), max_size=12)))
    return [whole[a:b] for a, b in zip([0, *at], [*at, len(whole)], strict=True) if a < b]


@given(cut(), st.booleans())
def test_messages_answers_and_the_end_are_those_of_the_library_alone(pieces: list[bytes], ends: bool) -> None:
    assert by_the_reader(pieces, ends).known() == by_the_library(pieces, ends).known()


@given(streams)
def test_bytes_one_by_one_mean_the_same(frames: list[bytes]) -> None:
    pieces = [bytes([byte]) for byte in b"".join(frames)]
    assert by_the_reader(pieces, True).known() == by_the_library(pieces, True).known()


def test_messages_of_one_read_are_told_apart_in_order() -> None:
    outcome, times = Outcome(), []
    reader = Reader(outcome.library, MAX_BYTES, outcome.pongs.append)
    data = frame(0x81, b"a") + frame(0x01, b"b") + frame(0x89, b"") + frame(0x80, b"c") + frame(0x82, b"d")
    reader.read(data, lambda payload, ts_recv: times.append((payload, ts_recv)), 1000)
    assert [payload for payload, _ in times] == [b"a", b"bc", b"d"]
    moments = [moment for _, moment in times]
    assert moments == sorted(set(moments))
    assert moments[0] == 1000
    assert moments[-1] < 1010


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_after_a_message_that_raised_the_next_is_read_as_if_it_had_not(bad: int) -> None:
    outcome, taken = Outcome(), []
    reader = Reader(outcome.library, MAX_BYTES, outcome.pongs.append)

    def take(payload: bytes, ts_recv: int) -> None:
        if payload == b"%d" % bad:
            raise ZeroDivisionError
        taken.append(payload)

    with pytest.raises(ZeroDivisionError):
        reader.read(frame(0x81, b"0") + frame(0x01, b"1") + frame(0x80, b"") + frame(0x81, b"2"), take, 0)
    reader.read(frame(0x81, b"3") + frame(0x88, b"\x03\xe8"), take, 0)
    assert taken == [b"0", b"1", b"2", b"3"][:bad] + [b"0", b"1", b"2", b"3"][bad + 1 :]
    assert outcome.library.close_rcvd is not None


def test_a_long_message_in_many_reads_is_one_message() -> None:
    whole = frame(0x82, bytes(100_000))
    library = Protocol(CLIENT, max_size=200_000)
    taken: list[bytes] = []
    reader = Reader(library, 200_000, taken.append)
    for at in range(0, len(whole), 7):
        reader.read(whole[at : at + 7], lambda payload, ts_recv: taken.append(payload), 0)
    assert taken == [bytes(100_000)]
    assert library.state is OPEN
