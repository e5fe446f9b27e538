"""The capture of a run while it runs: a thread of its own packs what happens into files.

The run never waits for the disk and never sees its errors: what the disk does
not take is counted, said in the log and marked in the file. A killed run leaves
files that read up to the last flush.
"""

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from attrs import evolve

from ..errors import ConfigError
from ..frame import Frame
from ..journal import say
from ..tape import Act, Begun, Ended, Received, Ruled, Unwanted, Wanted
from .entry import Line, Lost, Opened, written
from .folder import create, files_in, run_name
from .settings import CaptureSettings

# What may wait for the disk; beyond it frames are counted as lost instead of filling memory.
_MOST_WAITING = 200_000
# A disk that took no more is tried again after so long.
_RETRY_S = 10.0
# Each so many bytes are packed on their own: damage to one piece harms no other.
_PIECE_BYTES = 4_000_000


class Capture:
    """The tape of a run, kept in the files of one folder.

    `kept` counts what is written, `lost` what could not be, `bytes` what the
    run's files take.
    """

    def __init__(self, settings: CaptureSettings) -> None:
        """Create the first file; raises ConfigError where the folder cannot be written."""
        self.run = run_name()
        self.kept = 0
        self.lost = 0
        self.bytes = 0
        self._settings = settings
        self._folder = Path(settings.path)
        self._part_bytes = min(settings.rotate_bytes, settings.max_bytes // 4)
        self._waiting: deque[tuple[str, Frame] | Act] = deque()
        self._unwritten = 0
        self._number = 0
        self._begun: dict[str, Begun] = {}
        self._rules: dict[str, Ruled] = {}
        self._stopped = False
        self._retry_at = 0.0
        self._closing = threading.Event()
        try:
            self._part: _Part | None = self._open()
        except OSError as error:
            raise ConfigError(
                f"capture.path: cannot write {self._folder}: {error.strerror}; choose another folder"
            ) from None
        self._thread = threading.Thread(target=self._run, name="jrr-capture", daemon=True)
        self._thread.start()

    @property
    def file(self) -> Path | None:
        """The file being written."""
        return None if self._part is None else self._part.path

    def frame(self, session: str, frame: Frame) -> None:
        """Take down a frame."""
        if self._stopped or len(self._waiting) >= _MOST_WAITING:
            self.lost += 1
            self._unwritten += 1
        else:
            self._waiting.append((session, frame))

    def act(self, act: Act) -> None:
        """Take down anything else; it is little, and kept however much waits."""
        self._waiting.append(act)

    def stats(self) -> dict[str, Any]:
        """Return what docs/stats.md says of `capture`."""
        return {
            "file": None if self.file is None else str(self.file),
            "kept": self.kept, "lost": self.lost, "pending": len(self._waiting), "bytes": self.bytes,
            "trouble": "stopped" if self._stopped else "the disk takes no more" if self._part is None else None,
        }  # fmt: skip

    def close(self) -> None:
        """Write what waits and close the file."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(self._settings.flush_s):
            self._flush()
        self._flush()
        if self._part is not None:
            self._attempt(self._part.close)

    def _flush(self) -> None:
        if self._part is None and not self._stopped and time.monotonic() > self._retry_at:
            self._attempt(self._reopen)
        if self._part is not None:
            self._attempt(self._write)
        if self._part is None:
            self._drop()

    def _write(self) -> None:
        part = self._part
        assert part is not None
        if self._unwritten:
            missing, self._unwritten = self._unwritten, 0
            part.write(Lost(missing, time.time_ns()))
        taken = 0
        try:
            for _ in range(len(self._waiting)):
                item = self._waiting.popleft()
                taken += 1
                line = Received(*item) if isinstance(item, tuple) else item
                self._keep_in_mind(line)
                part.write(line)
            self.bytes += part.flush()
        except OSError:
            self.lost += taken
            self._unwritten += taken
            raise
        self.kept += taken
        if part.size >= self._part_bytes or part.age_s >= self._settings.rotate_s:
            part.close()
            self._part = None
            self._reopen()

    def _keep_in_mind(self, line: Line) -> None:
        """Remember what the next file has to begin with."""
        match line:
            case Ruled(exchange):
                self._rules[exchange] = line
            case Begun(_, session):
                self._begun[session] = line
            case Ended(_, session):
                self._begun.pop(session, None)
            case Wanted(_, session, _, subscriptions) if session in self._begun:
                self._carry(session, (*self._carried(session), *subscriptions))
            case Unwanted(_, session, _, subscriptions) if session in self._begun:
                self._carry(session, tuple(s for s in self._carried(session) if s not in subscriptions))

    def _carried(self, session: str) -> tuple[Any, ...]:
        return self._begun[session].subscriptions or ()

    def _carry(self, session: str, subscriptions: tuple[Any, ...]) -> None:
        self._begun[session] = evolve(self._begun[session], subscriptions=tuple(dict.fromkeys(subscriptions)))

    def _open(self) -> "_Part":
        self._number += 1
        part = _Part(*create(self._folder, self.run, self._number))
        part.write(Opened(self.run, self._number, time.time_ns(), version("jrr-core")))
        return part

    def _reopen(self) -> None:
        """Begin another file, with what one needs to know to read it alone; make room for it."""
        if not self._room():
            return
        part = self._open()
        for rule in self._rules.values():
            part.write(rule)
        for begun in self._begun.values():
            part.write(begun)
            part.write(Wanted(begun.exchange, begun.session, begun.ts, begun.subscriptions or ()))
        part.flush()
        self._part = part

    def _room(self) -> bool:
        """Keep the folder within its limit; False where capturing has to stop."""
        files = [(path, path.stat().st_size) for path in files_in(self._folder)]
        over = sum(size for _, size in files) + self._part_bytes - self._settings.max_bytes
        if over > 0 and self._settings.full == "stop":
            self._stop(f"capture.max_bytes = {self._settings.max_bytes} is reached")
            return False
        for path, size in files:
            if over <= 0:
                break
            path.unlink(missing_ok=True)
            over -= size
            say(logging.INFO, "capture_deleted", f"capture {path} is deleted: capture.max_bytes = "
                f"{self._settings.max_bytes} is reached", file=str(path), bytes=size)  # fmt: skip
        return True

    def _attempt(self, work: Any) -> None:
        """Do what may fail; then the file is given up, and another is tried later."""
        try:
            work()
        except OSError as error:
            part, self._part = self._part, None
            self._retry_at = time.monotonic() + _RETRY_S
            if part is not None:
                part.abandon()
            say(logging.ERROR, "capture_failed", f"cannot write captures to {self._folder}: {error.strerror or error}; "
                f"frames are not captured, collecting goes on; tried again every {_RETRY_S:g} s",
                folder=str(self._folder), reason=error.strerror or str(error))  # fmt: skip

    def _stop(self, reason: str) -> None:
        self._stopped = True
        say(logging.ERROR, "capture_stopped", f"capturing to {self._folder} stopped: {reason}; collecting goes on",
            folder=str(self._folder), reason=reason)  # fmt: skip

    def _drop(self) -> None:
        """Count what waits as lost, but keep in mind what the next file begins with."""
        for _ in range(len(self._waiting)):
            item = self._waiting.popleft()
            self.lost += 1
            self._unwritten += 1
            if not isinstance(item, tuple):
                self._keep_in_mind(item)


class _Part:
    """One file: pieces of lines, each packed on its own."""

    def __init__(self, path: Path, out: BinaryIO) -> None:
        from zstandard import COMPRESSOBJ_FLUSH_BLOCK, COMPRESSOBJ_FLUSH_FINISH, ZstdCompressor

        self.path = path
        self.size = 0
        self._out = out
        self._begun = time.monotonic()
        self._block, self._finish = COMPRESSOBJ_FLUSH_BLOCK, COMPRESSOBJ_FLUSH_FINISH
        self._packer = ZstdCompressor(level=3, write_checksum=True)
        self._piece = self._packer.compressobj()
        self._in_piece = 0
        self._lines: list[bytes] = []

    @property
    def age_s(self) -> float:
        """Seconds since it was begun."""
        return time.monotonic() - self._begun

    def write(self, line: Line) -> None:
        """Take a line; it is on disk after the next flush."""
        self._lines.append(written(line))

    def flush(self) -> int:
        """Hand everything to the system; return the bytes it took."""
        lines, self._lines = b"".join(self._lines), []
        if not lines:
            return 0
        self._in_piece += len(lines)
        packed = self._piece.compress(lines)
        if self._in_piece >= _PIECE_BYTES:
            packed += self._piece.flush(self._finish)
            self._piece, self._in_piece = self._packer.compressobj(), 0
        else:
            packed += self._piece.flush(self._block)
        self._out.write(packed)
        self._out.flush()
        self.size += len(packed)
        return len(packed)

    def close(self) -> None:
        """Write the rest and close the file."""
        self.flush()
        if self._in_piece:
            self._out.write(self._piece.flush(self._finish))
        self._out.close()

    def abandon(self) -> None:
        """Release the file after a write failed."""
        with suppress(OSError):
            self._out.close()
