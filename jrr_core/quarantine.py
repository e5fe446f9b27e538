"""Where refused frames and rows are kept, so that nothing received is thrown away unseen.

JSON lines in one file per day; bounded, and never a reason to stop.
"""

import base64
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from .private import make_folder, open_file


class Quarantine:
    """Appends what was refused, and why, to `<folder>/<date>.jsonl`; the folder is made at first need.

    `lost` counts entries that could not be kept (disk full, folder not
    writable, `max_bytes` reached).
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Keep at most `max_bytes` in this run."""
        self._folder = folder
        self._left = max_bytes
        self._file: IO[str] | None = None
        self._day = ""
        self.kept = 0
        self.lost = 0

    def keep(self, origin: str, reason: str, content: str | bytes) -> None:
        """Write one entry: `origin` is the session or sink, `content` the bytes or the row as text."""
        entry: dict[str, object] = {"ts": time.time_ns(), "origin": origin, "reason": reason}
        if isinstance(content, bytes):
            try:
                entry["content"] = content.decode()
            except UnicodeDecodeError:
                entry["base64"] = base64.b64encode(content).decode()
        else:
            entry["content"] = content
        line = json.dumps(entry) + "\n"
        if len(line) > self._left:
            self.lost += 1
            return
        try:
            out = self._today()
            out.write(line)
            out.flush()
        except (OSError, UnicodeError):
            self.lost += 1
            return
        self._left -= len(line)
        self.kept += 1

    def close(self) -> None:
        """Close the file, if one was needed."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _today(self) -> IO[str]:
        day = datetime.now(UTC).date().isoformat()
        if self._file is None or day != self._day:
            self.close()
            make_folder(self._folder)
            fd = open_file(self._folder / f"{day}.jsonl", os.O_WRONLY | os.O_APPEND)
            self._file = os.fdopen(fd, "a", encoding="utf-8", errors="backslashreplace")
            self._day = day
        return self._file
