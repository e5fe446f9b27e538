"""Few large files for the many small ones of a date that is over, swapped in one step.

Readers list a folder and then open what they found. So no listing may ever show
a merged file beside one whose rows it holds, nor neither of them: the merged
folder is made elsewhere and changes places with the old one, which is kept for a
while: who is listing it lists it to its end, then finds a name missing and fails
aloud. Where the system cannot exchange two folders, files stay as they are.
"""

import ctypes
import errno
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import files
from .relations import Relation

_AWAY = "replaced"
_AT_FDCWD = -100  # linux/fcntl.h
_RENAME_EXCHANGE = 2  # renameat2(2)
_CANNOT = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV}


def merge(folder: Path, relation: Relation, store: str, scratch: Path, size: int) -> None:
    """Join neighbours of a folder's files, in groups of `size` bytes at most. Raises OSError and ArrowException."""
    there = files.files(folder)
    groups = [*_groups(there, size)]
    if len(groups) == len(there) or not sys.platform.startswith("linux"):
        return
    made = scratch / _AWAY / str(time.time_ns())
    made.mkdir(parents=True)
    known = there
    for group in groups:
        target = made / files.following(known)
        if len(group) == 1:
            shutil.copyfile(group[0], target)
            files.sync(target)
        else:
            files.joined(group, relation, store, target, scratch / "unfinished")
        known = [target]
    files.sync(made)
    if _exchange(made, folder):
        files.sync(folder.parent)


def tidy(scratch: Path) -> None:
    """Remove the folders that were replaced, and what runs that were killed left."""
    shutil.rmtree(scratch / _AWAY, ignore_errors=True)


def _groups(paths: Sequence[Path], size: int) -> Iterator[list[Path]]:
    group: list[Path] = []
    held = 0
    for path in paths:
        more = path.stat().st_size
        if group and held + more > size:
            yield group
            group, held = [], 0
        group.append(path)
        held += more
    if group:
        yield group


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step; False where the system or file system has no such thing."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code), str(other))
