"""Numbers keep every digit the exchange wrote; what is not a number is a ParseError."""

import re
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.errors import ParseError
from jrr_core.exact import decimal, optional_decimal, plain

numbers = st.from_regex(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", fullmatch=True).filter(str.isascii)


@given(numbers)
def test_text_comes_back_digit_for_digit(text: str) -> None:
    assert plain(decimal(text)).lstrip("-0") == text.lstrip("-0")
    assert decimal(plain(decimal(text))) == decimal(text)


@pytest.mark.parametrize("text", ["0", "-0", "0.10", "1e-18", "1E+5", "007", "9" * 30 + "." + "9" * 30])
def test_what_exchanges_print_is_a_number(text: str) -> None:
    assert decimal(text) == Decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 ",
        "+1",
        ".5",
        "1.",
        "1e",
        "1.e3",
        "1e+",
        "1,5",
        "NaN",
        "Infinity",
        "-inf",
        "0x10",
        "1_000",
        "1\n",
        "١",
        "1e999",
        "9" * 31,
    ],
)
def test_anything_else_is_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError, match="not a decimal number"):
        decimal(text)


@given(st.text(max_size=20))
def test_any_text_gives_a_finite_number_or_parse_error(text: str) -> None:
    with suppress(ParseError):
        assert decimal(text).is_finite()


@pytest.mark.parametrize("nothing", [None, ""])
def test_nothing_sent_is_none_and_never_zero(nothing: str | None) -> None:
    assert optional_decimal(nothing) is None


def test_optional_numbers_are_as_strict_as_others() -> None:
    assert optional_decimal("0") == 0
    with pytest.raises(ParseError):
        optional_decimal("abc")


def test_long_garbage_is_quoted_shortly() -> None:
    with pytest.raises(ParseError) as raised:
        decimal("x" * 1_000_000)
    assert len(str(raised.value)) < 200


def test_plain_has_no_exponent() -> None:
    assert plain(Decimal("1E-18")) == "0.000000000000000001"
    assert plain(Decimal("1E+3")) == "1000"
    assert plain(Decimal("61837.630")) == "61837.630"


def test_no_pattern_has_a_group_that_python_3_11_4_matches_wrong() -> None:
    """Possessive groups that fail half-way keep what they took there: `1e` would be a number."""
    root = Path(__file__).resolve().parents[1]
    sources = [*root.glob("jrr_core/**/*.py"), *root.glob("plugins/*/src/**/*.py"), *root.glob("examples/*.py")]
    wrong = re.compile(r"""(?:re\.compile|= r).*\)(?:[?*+]|\{[0-9,]+\})\+""")
    assert [path.name for path in sources if wrong.search(path.read_text("utf-8"))] == []
