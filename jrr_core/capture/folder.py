"""The files of a capture folder: their names, their order, and how much they take.

`<begin of the run>-<process>-<number>.jsonl.zst`; sorted by name they are in
the order they were written in.
"""

import os
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from ..errors import ConfigError
from ..private import make_folder, open_file

_ours = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[0-9]+(-[0-9]{6})?\.jsonl\.(zst|gz)").fullmatch


def run_name() -> str:
    """Return a name for a run that begins now."""
    return f"{datetime.now(UTC).strftime('%Y%m%dT%H%M%S.%fZ')}-{os.getpid()}"


def create(folder: Path, run: str, number: int) -> tuple[Path, BinaryIO]:
    """Make the folder, and in it a file that nobody else may read; raises OSError, also where the name is taken."""
    file = folder / f"{run}-{number:06}.jsonl.zst"
    make_folder(folder)
    return file, os.fdopen(open_file(file, os.O_WRONLY | os.O_EXCL), "wb")


def files_in(folder: Path) -> list[Path]:
    """Return the files that runs of jrr captured into, oldest first."""
    return sorted(path for path in folder.iterdir() if _ours(path.name) and path.is_file())


def capture_files(paths: Iterable[Path]) -> Sequence[Path]:
    """Return the files that are meant: of a folder all captures in it, oldest first.

    Raises ConfigError for a folder without any, and one that cannot be read.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        try:
            inside = files_in(path)
        except OSError as error:
            raise ConfigError(f"cannot read the folder {path}: {error.strerror}") from None
        if not inside:
            raise ConfigError(f"no capture is in the folder {path}; name its files, or set capture.path in a run")
        found += inside
    return found
