"""CSV: the exchange's own digits, times as int ns, nothing for what is not known."""

import csv
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..exact import plain
from ..levels import Levels


class CsvFile:
    """A CSV file being written."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Begin with the titles."""
        self._out = path.open("w", newline="", encoding="utf-8", errors="surrogatepass")
        self._rows = csv.writer(self._out, lineterminator="\n")
        self._rows.writerow(columns)

    def write(self, cells: Sequence[str]) -> None:
        """Write a row."""
        self._rows.writerow(cells)

    def close(self) -> None:
        """Hand everything to the disk."""
        self._out.close()


def cell(value: Any) -> str:
    """Return a value as CSV has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return plain(value)
    return value.json() if isinstance(value, Levels) else str(value)
