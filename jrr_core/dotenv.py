"""The file `.env` of the working directory: NAME=VALUE lines, as other tools write them too."""

import re
from pathlib import Path

from .errors import ConfigError

_assignment = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)").fullmatch


def read_dotenv(folder: Path) -> list[tuple[int, str, str | None, str]]:
    """Return (line number, name, value, text) of every line of `folder/.env`; nothing where there is no such file.

    Quotes around a value and a comment behind it are taken off. A line that
    is no assignment has an empty name and the value None. Raises ConfigError
    for a file that cannot be read.
    """
    file = folder / ".env"
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {file}: {error}") from None
    found: list[tuple[int, str, str | None, str]] = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        match = _assignment(line)
        found.append((number, match[1], _unquoted(match[2]), line) if match else (number, "", None, line))
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] in "'\"" and (end := value.find(value[0], 1)) > 0:
        return value[1:end]
    return value.split(" #")[0].rstrip()
