"""Times as Bybit writes them in text, and what no store could hold."""

import pytest
from jrr_bybit.messages import millis

from jrr_core.errors import ParseError


def test_a_time_in_milliseconds_becomes_nanoseconds() -> None:
    assert millis("1672041600000") == 1672041600000 * 10**6


@pytest.mark.parametrize("text", ["", "-1", "1.5", "9999999999999", "12345678901234", "\u0661"])
def test_other_texts_are_parse_errors(text: str) -> None:
    with pytest.raises(ParseError):
        millis(text)
