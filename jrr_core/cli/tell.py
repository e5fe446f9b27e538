"""What commands write for people: lines in which names from outside can do no harm."""

import click

from ..printable import printable

# As much of a name as a table shows; exchanges' own have a dozen characters or two.
CELL = 80


def tell(*lines: str, err: bool = False) -> None:
    """Write lines, or JSON, to standard output or standard error; see `printable`."""
    click.echo("\n".join(map(printable, lines)), err=err)
