"""Rows as lines of a given width, for any terminal: columns that do not fit are left out from the right.

What exchanges send is text: what is not printable is escaped, what is too long
is cut, and wide characters count twice.
"""

import unicodedata
from collections.abc import Sequence

from ..printable import printable
from .panes import Column, Row

_GAP = 2
# No text is looked at beyond so many characters: a name may have thousands.
_MOST_CHARS = 300


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """Return the columns that fit into `width`, the last one as wide as there is room."""
    fit: list[Column] = []
    used = 0
    for column in columns:
        needed = column.width + (_GAP if fit else 0)
        if fit and used + needed > width:
            rest = width - used - _GAP
            if rest >= 8 and not column.right:
                fit.append(Column(column.title, rest))
            break
        fit.append(column)
        used += needed
    return fit


def title_line(columns: Sequence[Column], marked: int | None = None, reverse: bool = False) -> str:
    """Return the line of titles, the column rows are sorted by marked."""
    mark = "v" if reverse else "^"
    titles = [f"{column.title}{mark}" if at == marked else column.title for at, column in enumerate(columns)]
    return _joined(columns, titles)


def row_line(columns: Sequence[Column], row: Row) -> str:
    """Return a row as a line."""
    return _joined(columns, row.texts)


def safe(text: str, width: int) -> str:
    """Return the text on one line, without anything a terminal obeys, cut to `width` cells."""
    whole = printable(text[:_MOST_CHARS])
    if len(text) <= _MOST_CHARS and sum(map(_cells, whole)) <= width:
        return whole
    shown, used = [], 1
    for char in whole:
        used += _cells(char)
        if used > width:
            break
        shown.append(char)
    return f"{''.join(shown)}…"


def _joined(columns: Sequence[Column], texts: Sequence[str]) -> str:
    parts = []
    for column, text in zip(columns, texts, strict=False):
        cut = safe(text, column.width)
        blank = " " * (column.width - sum(map(_cells, cut)))
        parts.append(blank + cut if column.right else cut + blank)
    return (" " * _GAP).join(parts).rstrip()


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
