"""PostgreSQL's errors as jrr's: whose they are and what to do.

Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

import socket

import asyncpg

from jrr_core.errors import ConfigError, JrrError, SinkRejected, SinkUnavailable

from .settings import StorageConfig, Target

ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What a call to the server raises; InternalClientError when the session was ended since the call before."""

MISSING_DATABASE = "3D000"
_PASSWORD = ("28P01", "28000")
_PRIVILEGE = "42501"
_READ_ONLY = "25006"
# A session is begun with what the dsn adds: a parameter the server does not know, or a value it does not take.
_PARAMETER = ("42704", "22023")
# Classes 22 (data exception) and 23 (integrity), and a row larger than a page or an index entry can be.
_REFUSED_CLASSES = ("22", "23")
_REFUSED = ("54000", "54001")


def code_of(error: BaseException) -> str:
    """Return the SQLSTATE, empty where the error did not come from the server."""
    return getattr(error, "sqlstate", None) or ""


def on_open(error: BaseException, target: Target, settings: StorageConfig) -> JrrError:
    """Return what to raise when the store cannot be opened: the user's to mend, or perhaps over in a moment."""
    code, where = code_of(error), f"PostgreSQL at {target.place}"
    user = target.user or "(the account jrr runs under)"
    if code in _PASSWORD or (isinstance(error, asyncpg.InterfaceError) and "password" in str(error)):
        return ConfigError(
            f"{where} refuses user {user}: {_first_line(error)}; "
            "set DB_USER and DB_PASSWORD (environment or .env), or sinks.postgres.user and .password"
        )
    if code == MISSING_DATABASE:
        return ConfigError(
            f"{where} has no database {target.database!r}; create it (createdb {target.database}), "
            "or set DB_NAME or sinks.postgres.database"
        )
    if code == _PRIVILEGE:
        return ConfigError(
            f"{where}: user {user} lacks a privilege in database {target.database!r}: {_first_line(error)}; grant it "
            f"(GRANT CREATE ON DATABASE {target.database} TO {user}, or make {user} the owner of schema "
            f"{settings.schema}), or set another user"
        )
    if code in _PARAMETER or isinstance(error, asyncpg.ClientConfigurationError):
        return ConfigError(f"{where}: the connection settings do not fit: {_first_line(error)}; mend [sinks.postgres]")
    if isinstance(error, ConnectionError) and "SSL" in str(error):
        return ConfigError(
            f"{where} speaks no SSL, which is asked for; set sinks.postgres.sslmode to prefer or disable"
        )
    return SinkUnavailable(_away(error, target))


def on_write(error: BaseException, target: Target) -> JrrError:
    """Return what to raise when a batch cannot be written: its content refused, or the store away."""
    code = code_of(error)
    if code[:2] in _REFUSED_CLASSES or code in _REFUSED or isinstance(error, asyncpg.DataError):
        return SinkRejected(f"PostgreSQL refuses a row: {_first_line(error)}{_detail(error)}")
    return SinkUnavailable(_away(error, target))


def breaks_connection(error: BaseException) -> bool:
    """Whether the connection must not be used again: only an error the server told leaves it as it was."""
    return not isinstance(error, asyncpg.PostgresError) or code_of(error)[:2] in ("08", "57")


def _away(error: BaseException, target: Target) -> str:
    where, code = f"PostgreSQL at {target.place}", code_of(error)
    if isinstance(error, ConnectionRefusedError) or "Connect call failed" in str(error):
        return f"{where} cannot be reached: connection refused; start the server, or set DB_HOST and DB_PORT"
    if isinstance(error, socket.gaierror):
        return f"{where} cannot be reached: no such host is known; correct DB_HOST or sinks.postgres.host (or .dsn)"
    if isinstance(error, FileNotFoundError):
        return f"{where} cannot be reached: no server listens there; start it, or set DB_HOST and DB_PORT"
    if isinstance(error, TimeoutError):
        return f"{where} did not answer in time"
    if code == _READ_ONLY:
        return f"{where} takes no writes (a standby, or a transaction made read-only); point jrr at the primary"
    if code == _PRIVILEGE:
        return f"{where}: {_first_line(error)}; grant the privilege, the batch is kept until then"
    return f"{where}: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    text = (str(error) or type(error).__name__).splitlines()[0]
    return text.rstrip(".")


def _detail(error: BaseException) -> str:
    context = getattr(error, "context", None) or getattr(error, "detail", None)
    return f" ({context.splitlines()[0][:160]})" if context else ""
