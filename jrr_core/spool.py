"""The spool of one sink: events on disk, in order, that the sink could not take yet.

Files `00000001.spool`, ... of about 16 MiB in a folder of the sink's own; written
at the end, read from the beginning, deleted once all in them is stored. A file
half stored at a crash is read again: sinks count the same event once. Plain
blocking files; `spooler` calls it in a thread. What is in the files: `segment`.
"""

import contextlib
import errno
import os
import re
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from attrs import define, field, validators

from . import segment
from .errors import ConfigError
from .private import make_folder, open_file
from .segment import Damage, Record
from .setting import setting

_SEGMENT_BYTES = 16 * 2**20
# So small a share of the whole that a full spool takes new events soon after the first are stored.
_SEGMENTS_AT_LEAST = 8
_SYNC_S = 1.0
_LOCK = "lock"
_file_name = re.compile(r"([0-9]{8,})\.spool").fullmatch


@define(kw_only=True)
class SpoolSettings:
    """The section `[spool]`."""

    path: str = setting(
        "spool",
        "Folder that takes events a sink cannot take yet, one folder per sink in it; empty keeps them in memory only.",
    )
    max_bytes: int = setting(
        4 * 2**30,
        "Most bytes a sink's spool may take on disk (the limit also known as `spool_max_bytes`).",
        validator=validators.ge(2**20),
    )
    fsync: Literal["interval", "always", "never"] = setting(
        "interval",
        "When the disk is told to keep what was written: at most once a second, at each write, or never. "
        "A crash of jrr loses nothing in any of them; what a power cut may cost: docs/spool.md.",
    )


@define
class _Segment:
    """One file; `size` are the bytes that are whole, `left` the events in it that are not stored yet."""

    number: int
    path: Path
    size: int
    written: int
    left: int
    earlier: bool
    fd: int | None = None


@define(frozen=True)
class Mark:
    """Where `count` events end: file and offset."""

    number: int
    end: int
    count: int
    before: int


@define(frozen=True)
class Chunk:
    """Records read, and what was damaged between them; `mark` is their end."""

    path: Path
    records: Sequence[Record]
    damages: Sequence[Damage]
    mark: Mark
    earlier: bool


@define(eq=False)
class Spool:
    """The files of one sink; one process at a time has them open."""

    folder: Path
    settings: SpoolSettings = field(factory=SpoolSettings)
    # Plain numbers, so that another thread may look at them: bytes on disk, files that earlier runs left.
    size: int = field(init=False, default=0)
    earlier: int = field(init=False, default=0)
    _segments: deque[_Segment] = field(init=False, factory=deque)
    _at: int = field(init=False, default=segment.START_BYTES)
    _before: int = field(init=False, default=0)
    _read: tuple[int, int, bytes] = field(init=False, default=(0, 0, b""))
    _next: int = field(init=False, default=1)
    _lock: int | None = field(init=False, default=None)
    _unsynced_s: float | None = field(init=False, default=None)
    _synced_s: float = field(init=False, default=0.0)

    @property
    def is_open(self) -> bool:
        """Whether the folder is ours."""
        return self._lock is not None

    @property
    def empty(self) -> bool:
        """Whether nothing on disk waits."""
        return not self._segments

    def open(self) -> int:
        """Take the folder, which is made if need be; return how many events earlier runs left in it.

        Raises ConfigError where another process has it or a newer jrr wrote
        it, OSError where it cannot be used.
        """
        make_folder(self.folder)
        self._lock = _locked(self.folder)
        try:
            found = [_surveyed(number, path) for number, path in files(self.folder)]
        except BaseException:
            self._unlock()
            raise
        self._segments.extend(found)
        self._next = max([each.number for each in found], default=0) + 1
        self.size = sum(each.size for each in found)
        self.earlier = len(found)
        return sum(each.left for each in found)

    def append(self, payloads: Sequence[tuple[bytes, int]]) -> Mark:
        """Put (payload, events) behind what is there; return where they end.

        Raises OSError (ENOSPC too where `max_bytes` is reached); nothing of
        them is then on disk.
        """
        room = self.settings.max_bytes - self.size - sum(len(payload) for payload, _ in payloads)
        if room < len(payloads) * segment.HEAD_BYTES + segment.START_BYTES:
            raise OSError(errno.ENOSPC, f"it holds spool.max_bytes = {self.settings.max_bytes}")
        into = self._writable()
        before, parts = into.written, []
        for payload, count in payloads:
            parts.append(segment.record(payload, count, before))
            before += count
        data = b"".join(parts)
        assert into.fd is not None
        try:
            _write(into.fd, data, into.size)
            self._after_write(into.fd)
        except OSError:
            self._cut(into)
            raise
        count = before - into.written
        into.size, into.written, into.left = into.size + len(data), before, into.left + count
        self.size += len(data)
        return Mark(into.number, into.size, count, before)

    def read(self, rows: int) -> Chunk | None:
        """Return the first records not `done` yet, one at least, of at most `rows` events and of one file.

        None while empty. A part of a file that the disk no longer gives is damage.
        """
        if not self._segments:
            return None
        first = self._segments[0]
        records: list[Record] = []
        damages: list[Damage] = []
        count, end, before = 0, self._at, self._before
        for found in self._ahead(first):
            if isinstance(found, Damage):
                damages.append(found)
            elif records and count + found.count > rows:
                break
            else:
                records.append(found)
                count, before = count + found.count, found.before + found.count
            end = found.end
        if not records and not damages:
            # Nothing behind the header: a file made just before a crash.
            end = first.size
        return Chunk(first.path, records, damages, Mark(first.number, end, count, before), first.earlier)

    def done(self, mark: Mark) -> int:
        """Note that everything up to `mark` is stored; return how many events were in vain in a file now finished."""
        first = self._segments[0]
        assert mark.number == first.number
        self._at, self._before = mark.end, mark.before
        first.left -= mark.count
        if mark.end < first.size:
            return 0
        self._segments.popleft()
        self.size -= first.size
        self.earlier -= first.earlier
        self._at, self._before, self._read = segment.START_BYTES, 0, (0, 0, b"")
        _close(first)
        with contextlib.suppress(OSError):
            # What stays for lack of permission is stored again by the next run, to no harm.
            first.path.unlink()
        return first.left

    @property
    def sync_due(self) -> bool:
        """Whether something written should be synced now."""
        return self._unsynced_s is not None and time.monotonic() - self._synced_s >= _SYNC_S

    def sync(self) -> None:
        """Tell the disk to keep what was written; raises OSError."""
        fd = self._segments[-1].fd if self._segments else None
        if fd is None:
            self._unsynced_s = None
        elif self._unsynced_s is not None:
            self._synced(fd)

    def close(self) -> None:
        """Sync, give the folder back, and remove it if nothing is left in it."""
        if self._lock is None:
            return
        with contextlib.suppress(OSError):
            if self.settings.fsync != "never":
                self.sync()
        for each in self._segments:
            _close(each)
        empty = not self._segments
        self._segments.clear()
        self.size = self.earlier = 0
        if empty:
            with contextlib.suppress(OSError):
                (self.folder / _LOCK).unlink()
        self._unlock()
        if empty:
            with contextlib.suppress(OSError):
                self.folder.rmdir()
                self.folder.parent.rmdir()

    def _ahead(self, first: _Segment) -> Iterator[Record | Damage]:
        """Yield what stands behind the last mark in a file, as far as it is known to be whole."""
        number, base, data = self._read
        if number != first.number or not base <= self._at or base + len(data) < first.size:
            base, data = self._at, _bytes(first.path, self._at, first.size)
            self._read = (first.number, base, data)
        yield from segment.scan(data, self._before, base=base, at=self._at - base)
        if base + len(data) < first.size:
            yield Damage(base + len(data), first.size, None, torn=False)

    def _writable(self) -> _Segment:
        """Return the file that is written now, a new one where there is none or it is full."""
        most = min(_SEGMENT_BYTES, self.settings.max_bytes // _SEGMENTS_AT_LEAST)
        if self._segments and self._segments[-1].fd is not None:
            last = self._segments[-1]
            if last.size < most:
                return last
            if self.settings.fsync != "never":
                self.sync()
            _close(last)
        make_folder(self.folder)
        path = self.folder / f"{self._next:08d}.spool"
        fd = open_file(path, os.O_RDWR | os.O_TRUNC)
        try:
            _write(fd, segment.start(), 0)
            if self.settings.fsync != "never":
                _sync_folder(self.folder)
        except OSError:
            os.close(fd)
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        made = _Segment(self._next, path, segment.START_BYTES, 0, 0, earlier=False, fd=fd)
        self._next += 1
        self.size += made.size
        self._segments.append(made)
        return made

    def _after_write(self, fd: int) -> None:
        if self.settings.fsync == "always":
            self._synced(fd)
        elif self.settings.fsync == "interval":
            self._unsynced_s = self._unsynced_s or time.monotonic()
            if self.sync_due:
                self._synced(fd)

    def _synced(self, fd: int) -> None:
        self._synced_s = time.monotonic()
        os.fsync(fd)
        self._unsynced_s = None

    def _cut(self, into: _Segment) -> None:
        """Take off what a failed write left at the end; where even that fails the file is written no more."""
        try:
            assert into.fd is not None
            os.ftruncate(into.fd, into.size)
        except OSError:
            _close(into)
        if not into.written:
            _close(into)
            self._segments.pop()
            self.size -= into.size
            with contextlib.suppress(OSError):
                into.path.unlink()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def files(folder: Path) -> list[tuple[int, Path]]:
    """Return number and path of the spool files in a folder, in order; none where there is no folder."""
    try:
        named = [(_file_name(path.name), path) for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    return sorted((int(match[1]), path) for match, path in named if match)


def folder_of(path: str, sink: str) -> Path:
    """Return the folder of a sink in the spool."""
    return Path(path) / re.sub(r"[^\w.-]", "_", sink)


def check_version(path: Path, data: bytes) -> None:
    """Raise ConfigError where `data`, the beginning of a file, says that a newer jrr wrote it."""
    version = segment.version_of(data)
    if version is not None and version > segment.VERSION:
        raise ConfigError(
            f"{path} was written by a newer jrr (format {version}, known is {segment.VERSION}); "
            "update jrr-core, or move the file away to do without its events"
        )


def _surveyed(number: int, path: Path) -> _Segment:
    """Return a file an earlier run left; its events are counted by the heads of its records."""
    size = path.stat().st_size
    with path.open("rb") as file:
        check_version(path, file.read(segment.START_BYTES))
        at, events = segment.START_BYTES, 0
        while at < size:
            file.seek(at)
            told = segment.head(file.read(segment.HEAD_BYTES))
            if told is None or told[2] != events or at + told[0] > size:
                events = _events(path)
                break
            at, events = at + told[0], events + told[1]
    return _Segment(number, path, max(size, segment.START_BYTES), events, events, earlier=True)


def _events(path: Path) -> int:
    """Return how many events a damaged file holds or is known to have held."""
    found = segment.scan(path.read_bytes(), at=segment.START_BYTES)
    return sum(each.count or 0 for each in found)


def _bytes(path: Path, start: int, end: int) -> bytes:
    """Return bytes of a file, fewer where it is shorter or the disk fails."""
    parts = []
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            while start < end and (part := file.read(min(end - start, 2**20))):
                parts.append(part)
                start += len(part)
    except OSError:
        pass
    return b"".join(parts)


def _write(fd: int, data: bytes, at: int) -> None:
    os.lseek(fd, at, os.SEEK_SET)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _close(each: _Segment) -> None:
    if each.fd is not None:
        with contextlib.suppress(OSError):
            os.close(each.fd)
        each.fd = None


def _sync_folder(folder: Path) -> None:
    if sys.platform != "win32":
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _locked(folder: Path) -> int:
    """Return the open lock file of a folder, locked until it is closed; raises ConfigError where another has it."""
    path = folder / _LOCK
    while True:
        fd = open_file(path, os.O_RDWR)
        try:
            _lock(fd)
            # Its owner removes the file as it leaves: a lock on a removed one keeps nobody out.
            if os.path.exists(path) and os.path.samestat(os.fstat(fd), os.stat(path)):
                with contextlib.suppress(OSError):
                    os.ftruncate(fd, 0)
                    os.write(fd, str(os.getpid()).encode())
                return fd
        except BlockingIOError:
            holder = os.read(fd, 20).decode("ascii", "replace")
            os.close(fd)
            raise ConfigError(
                f"another jrr{holder and ' (process '}{holder}{holder and ')'} is using the spool {folder} and stores "
                "what is in it; stop it first, or give this one a folder of its own: --set spool.path=FOLDER"
            ) from None
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


if sys.platform == "win32":

    def _lock(fd: int) -> None:
        import msvcrt

        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            raise BlockingIOError from None

else:

    def _lock(fd: int) -> None:
        import fcntl

        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
