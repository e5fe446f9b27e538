"""Frames to disk and back: captures of our own, and recorded lines of `<receive ns> <JSON>`.

A capture is gzip JSON lines, one object per frame: ts (int ns), exchange,
session, tag and status of an HTTP reply, payload. It is flushed at block
boundaries, so a killed run leaves a file that reads up to the last flush.
The writer never raises into the session that feeds it.
"""

import base64
import binascii
import logging
import os
import threading
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from attrs import define, validators

from .errors import ConfigError, ParseError
from .frame import Frame
from .journal import say
from .lines import Damage, numbered_lines
from .setting import setting
from .wire import Struct, decoder, encode

# Frames that may wait for the disk; beyond it they are counted as lost instead of filling memory.
_MOST_WAITING = 200_000
# Receive times before 2001 or beyond 2262 are in another unit than nanoseconds.
_TS_RANGE = (10**18, 2**63 - 1)
_GZIP = 16 + zlib.MAX_WBITS


@define(kw_only=True)
class CaptureSettings:
    """The section `[capture]`."""

    path: str = setting("", "Folder that gets one file with every frame of a run; empty captures nothing.")
    max_bytes: int = setting(
        10_000_000_000, "Size of a run's file at which capturing stops; collecting goes on.", validator=validators.ge(1)
    )
    flush_s: float = setting(1.0, "Seconds a frame may wait before it is on disk.", validator=validators.gt(0))


class _Entry(Struct, kw_only=True, omit_defaults=True):
    """One line of a capture; `form` tells what `payload` was: utf8 (bytes of text), base64 (other bytes), text."""

    ts: int
    exchange: str
    session: str
    payload: str
    tag: str | None = None
    status: int = 200
    form: str = "utf8"


_read_entry = decoder(_Entry)


class Capture:
    """The capture file of one run; written by a thread of its own."""

    def __init__(self, settings: CaptureSettings) -> None:
        """Create the file; raises ConfigError where the folder cannot be written."""
        self.file, self._out = _create(Path(settings.path))
        self.kept = 0
        self.lost = 0
        self._settings = settings
        self._waiting: deque[tuple[str, Frame]] = deque()
        self._stopped = False
        self._closing = threading.Event()
        self._pack = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
        self._thread = threading.Thread(target=self._run, name="jrr-capture", daemon=True)
        self._thread.start()

    def frame(self, session: str, frame: Frame) -> None:
        """Note a frame for writing; frames the disk cannot take are counted in `lost`."""
        if self._stopped or len(self._waiting) >= _MOST_WAITING:
            self.lost += 1
        else:
            self._waiting.append((session, frame))

    def close(self) -> None:
        """Write what waits and close the file."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._closing.wait(self._settings.flush_s):
                self._flush(zlib.Z_SYNC_FLUSH)
                if self._out.tell() >= self._settings.max_bytes:
                    self._stop(f"it reached capture.max_bytes = {self._settings.max_bytes}")
                    break
            self._flush(zlib.Z_FINISH)
            self._out.close()
        except (OSError, UnicodeError) as error:
            self._stop(getattr(error, "strerror", None) or str(error))
            self._abandon()

    def _flush(self, mode: int) -> None:
        count = 0
        while self._waiting:
            self._out.write(self._pack.compress(_line(*self._waiting.popleft())))
            count += 1
        self._out.write(self._pack.flush(mode))
        self._out.flush()
        self.kept += count

    def _stop(self, reason: str) -> None:
        self._stopped = True
        say(logging.ERROR, "capture_stopped", f"capturing to {self.file} stopped: {reason}; collecting goes on",
            file=str(self.file), reason=reason)  # fmt: skip

    def _abandon(self) -> None:
        """Release the file after a write failed; what it still holds in memory cannot be written either."""
        self.lost += len(self._waiting)
        self._waiting.clear()
        with suppress(OSError):
            self._out.close()


def read_capture(path: Path, exchange: str | None = None) -> Iterator[tuple[str | None, Frame] | Damage]:
    """Yield (session, frame) of a capture, or (None, frame) of a file of `<receive ns> <JSON>` lines, gzip or not.

    Lines that hold no frame and an end cut off come as Damage. `exchange`
    names the exchange of plain lines. Raises ConfigError for a file that
    cannot be read, and for plain lines without `exchange`.
    """
    try:
        with path.open("rb") as source:
            for item in numbered_lines(source):
                if isinstance(item, Damage):
                    yield item
                elif item[1]:
                    yield _parse(item[1], item[0], exchange)
    except OSError as error:
        raise ConfigError(f"cannot read the capture {path}: {error.strerror}") from None


def _create(folder: Path) -> tuple[Path, BinaryIO]:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    file = folder / f"{stamp}-{os.getpid()}.jsonl.gz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return file, file.open("xb")
    except OSError as error:
        raise ConfigError(f"capture.path: cannot write {file}: {error.strerror}; choose another folder") from None


def _line(session: str, frame: Frame) -> bytes:
    payload, form = _as_text(frame.payload)
    entry = _Entry(
        ts=frame.ts_recv, exchange=frame.exchange, session=session, payload=payload,
        tag=frame.tag, status=frame.status, form=form,
    )  # fmt: skip
    return encode(entry).encode() + b"\n"


def _as_text(payload: str | bytes) -> tuple[str, str]:
    if isinstance(payload, str):
        return payload, "text"
    try:
        return payload.decode(), "utf8"
    except UnicodeDecodeError:
        return base64.b64encode(payload).decode(), "base64"


def _parse(line: bytes, number: int, exchange: str | None) -> tuple[str | None, Frame] | Damage:
    if line[:1] == b"{":
        return _own(line, number)
    stamp, _, payload = line.partition(b" ")
    if not stamp.isdigit() or not payload.strip():
        return Damage(number, "neither a capture entry nor `<receive ns> <JSON>`")
    if len(stamp) > 19 or not _TS_RANGE[0] <= int(stamp) <= _TS_RANGE[1]:
        return Damage(number, f"{stamp[:30].decode()} is not a time in nanoseconds since 1970")
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return Damage(number, "not UTF-8 text")
    if exchange is None:
        raise ConfigError("the file does not say which exchange it is of: add --exchange NAME")
    return None, Frame(exchange, text, int(stamp))


def _own(line: bytes, number: int) -> tuple[str | None, Frame] | Damage:
    try:
        entry = _read_entry(line)
        payload: str | bytes = entry.payload
        if entry.form == "utf8":
            payload = entry.payload.encode()
        elif entry.form == "base64":
            payload = base64.b64decode(entry.payload, validate=True)
        elif entry.form != "text":
            return Damage(number, f"payload form {entry.form[:20]!r} is of a newer jrr: update jrr-core")
    except (ParseError, binascii.Error, UnicodeError) as error:
        return Damage(number, f"not a capture entry: {error}")
    if not 0 < entry.ts <= _TS_RANGE[1]:
        return Damage(number, f"{entry.ts} is not a time in nanoseconds since 1970")
    return entry.session, Frame(entry.exchange, payload, entry.ts, entry.tag, entry.status)
