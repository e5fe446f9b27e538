"""SQLite's errors as jrr's: whose they are and what to do."""

import sqlite3

from jrr_core.errors import ConfigError, JrrError, SinkUnavailable

_NOT_OURS = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_NOT_WRITABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}


def primary_code(error: sqlite3.Error) -> int:
    """Return the primary result code (https://www.sqlite.org/rescode.html), 0 where the error has none."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def on_open(error: sqlite3.Error, path: str) -> JrrError:
    """Return what to raise when the file cannot be opened: the user's to mend, or perhaps gone in a moment."""
    code = primary_code(error)
    if code in _NOT_OURS:
        return ConfigError(f"{path} is not a usable SQLite database ({error}); set sinks.sqlite.path to another file")
    if code in _NOT_WRITABLE:
        return ConfigError(
            f"{path} cannot be opened ({error}); make the file and its directory readable and writable, "
            "or set sinks.sqlite.path to another file"
        )
    return SinkUnavailable(f"{path}: {error}")
