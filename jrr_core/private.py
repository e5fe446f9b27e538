"""Folders and files that nobody but their owner may read: what was received, and what was refused.

What is there keeps its mode, since its owner may have opened it to others.
"""

import os
from pathlib import Path

_FLAGS = os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# Where a folder is shared, somebody else may have put a link in the way of our name.
_FLAGS |= getattr(os, "O_NOFOLLOW", 0)


def make_folder(folder: Path) -> None:
    """Make the folder, and those above it that are missing; raises OSError."""
    for each in reversed((folder, *folder.parents)):
        if not each.is_dir():
            each.mkdir(mode=0o700, exist_ok=True)


def open_file(path: Path, flags: int) -> int:
    """Return a descriptor of the file, which is made if need be; raises OSError, also where the name is a link's."""
    return os.open(path, flags | _FLAGS, 0o600)
