"""Text from outside, made fit for a terminal or a line of a log: nothing in it can command, hide or break lines.

Characters that are not printable (controls, escapes, line breaks, marks that
turn or hide text) stand as JSON writes them, so JSON means the same afterwards.
"""

import json


def printable(text: str, most: int | None = None) -> str:
    """Return the text with `\\u001b` in place of what does not print, cut with "..." to at most `most` characters."""
    if most is not None and len(text) > most:
        text = f"{text[: max(most - 3, 0)]}..."
    if text.isprintable():
        return text
    escaped = "".join([char if char.isprintable() else json.dumps(char)[1:-1] for char in text])
    return printable(escaped, most) if most is not None else escaped
