"""Numbers as exchanges write them: text to Decimal and back without a float between.

Called by parsers for single prices and amounts; `levels` does the same for whole books.
"""

import re
from decimal import Decimal

from .errors import ParseError

# Thirty digits a side and a two-digit exponent hold every price and amount any exchange
# prints, and keep a hostile "1e999999" from becoming a megabyte of zeros in a store.
# Possessive: no part can begin where another ends, so there is nothing to go back for. Groups are not: until
# Python 3.11.5 a possessive group that failed half-way kept what it had taken (python/cpython issue 106052).
NUMBER = r"-?+[0-9]{1,30}+(?:\.[0-9]{1,30}+)?(?:[eE][+-]?+[0-9]{1,2}+)?"
_number = re.compile(NUMBER).fullmatch


# On a busy market three in four prices and amounts came shortly before; so few of them that they stay in the cache.
_MOST_KNOWN = 2048
_known: dict[str, Decimal] = {}


def decimal(text: str) -> Decimal:
    """Return the number an exchange wrote, digit for digit (trailing zeros are kept).

    Raises ParseError for anything that is not a plain finite decimal, empty text included.
    """
    number = _known.get(text)
    return _read(text) if number is None else number


def _read(text: str) -> Decimal:
    if _number(text) is None:
        raise ParseError(f"not a decimal number: {text[:60]!r}")
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    number = _known[text] = Decimal(text)
    return number


def optional_decimal(text: str | None) -> Decimal | None:
    """Return the number, or None where the exchange sent nothing (missing, null or empty text).

    Raises ParseError for text that is neither empty nor a number.
    """
    if text is None or text == "":
        return None
    return decimal(text)


def plain(number: Decimal) -> str:
    """Return a Decimal as digits without an exponent, the form stores keep."""
    return format(number, "f")
