"""Everything once, as lines of text."""

from collections.abc import Iterator

from .drawing import fitting, row_line, safe, title_line
from .panes import Reading


def snapshot(reading: Reading, width: int) -> Iterator[str]:
    """Yield the lines of a reading; panes without rows are left out, but for the streams."""
    for line in reading.head:
        yield safe(line, width)
    for pane in reading.panes:
        if not pane.rows and pane.name != "streams":
            continue
        columns = fitting(pane.columns, width)
        yield ""
        yield title_line(columns)
        for row in pane.rows:
            yield row_line(columns, row)
