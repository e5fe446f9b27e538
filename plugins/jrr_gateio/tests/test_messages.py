"""Numbers and times as Gate writes them: text or numbers, with fractions, never too large for a store."""

import pytest
from jrr_gateio.frames import moment, one_or_many, seconds, text_of

from jrr_core.errors import ParseError
from jrr_core.wire import Raw


@pytest.mark.parametrize(
    ("raw", "ns"),
    [
        (b"1593561623123", 1593561623123000000),
        (b'"1682689046123.4567"', 1682689046123456700),
        (b'"0.0"', 0),
        (b"null", None),
    ],
)
def test_times_of_milliseconds_keep_their_fraction(raw: bytes, ns: int | None) -> None:
    assert moment(Raw(raw)) == ns


@pytest.mark.parametrize("raw", [b'"x"', b"-1", b"9999999999999999", b"1e30", b"[1]"])
def test_other_times_are_parse_errors(raw: bytes) -> None:
    with pytest.raises(ParseError):
        moment(Raw(raw))


@pytest.mark.parametrize("text", ["", "-1", "1.5", "9999999999", "12345678901", "\u0661"])
def test_seconds_that_no_store_can_hold_are_parse_errors(text: str) -> None:
    with pytest.raises(ParseError):
        seconds(text)


def test_numbers_are_read_with_and_without_quotes() -> None:
    written = (b'"-22"', b"-22", b"0.50", b'""', b"null", b"")
    assert [text_of(Raw(raw)) for raw in written] == ["-22", "-22", "0.50", "", "", ""]


def test_results_are_rows_however_they_are_packed() -> None:
    assert [one_or_many(Raw(raw)) for raw in (b'{"a":1}', b'[{"a":1}]', b'[[{"a":1}]]')] == [b'[{"a":1}]'] * 3
