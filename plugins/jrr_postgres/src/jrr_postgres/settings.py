"""Settings of the store, read from `[sinks.postgres]`, and where they lead: the server, the database, the user.

What is not set is taken from `DB_HOST DB_PORT DB_NAME DB_USER DB_PASSWORD`, in
the environment or in `.env` of the working directory.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from attrs import Attribute, define, field, validators

from jrr_core.dotenv import read_dotenv
from jrr_core.errors import ConfigError
from jrr_core.redact import hide
from jrr_core.setting import setting

from .tables import RELATIONS

DATABASE = "jrr_marketdata"
_VARIABLES = {
    "host": "DB_HOST", "port": "DB_PORT", "database": "DB_NAME", "user": "DB_USER", "password": "DB_PASSWORD",
}  # fmt: skip
_positive = validators.gt(0)


def _known_relations(_: Any, attribute: "Attribute[dict[str, int]]", value: dict[str, int]) -> None:
    for name, days in value.items():
        if name not in RELATIONS:
            raise ValueError(
                f"'{attribute.name}' has no relation {name!r}; there are {', '.join(RELATIONS)}", attribute
            )
        if days < 1:
            raise ValueError(f"'{attribute.name}' of {name} must be at least 1 day, not {days}", attribute)


@define(kw_only=True)
class StorageConfig:
    """Which server and database, and how it is written."""

    dsn: str = setting(
        "", "Address as one text, postgresql://USER:PASSWORD@HOST:PORT/DATABASE; the keys below complete it.",
        secret=True,
    )  # fmt: skip
    host: str | None = setting(None, "Server, or folder of its Unix socket; else DB_HOST, else localhost.")
    port: int | None = setting(None, "Port; else DB_PORT, else 5432.", validator=validators.optional(_positive))
    database: str | None = setting(None, f"Database; else DB_NAME, else {DATABASE}.")
    user: str | None = setting(None, "User; else DB_USER, else the name of the account jrr runs under.")
    password: str | None = setting(None, "Password; else DB_PASSWORD, else what ~/.pgpass says.", secret=True)
    sslmode: str | None = setting(
        None,
        "Encryption: disable, allow, prefer, require, verify-ca or verify-full; else what the dsn says, else prefer.",
        validator=validators.optional(
            validators.in_(("disable", "allow", "prefer", "require", "verify-ca", "verify-full"))
        ),
    )
    schema: str = setting(
        "jrr", "Namespace of everything jrr creates in the database.",
        validator=validators.matches_re(r"(?!pg_)[a-z_][a-z0-9_]{0,39}"),
    )  # fmt: skip
    candles: Literal["closed", "all"] = setting(
        "closed",
        "Which candles to keep: closed ones only, or also the latest state of the open one.",
        validator=validators.in_(("closed", "all")),
    )
    max_rows: int = setting(5000, "Events written in one transaction at most.", validator=_positive)
    max_age_s: float = setting(0.1, "Seconds an event waits for its transaction at most.", validator=_positive)
    pause_s: float = setting(
        0.003,
        "Seconds between two transactions; after a longer rest an event is written at once.",
        validator=validators.ge(0),
    )
    pool_size: int = setting(
        4, "Connections to the server at most: one writes, the others read and maintain.", validator=validators.ge(2)
    )
    connect_timeout_s: float = setting(10.0, "Seconds a connection attempt may take.", validator=_positive)
    statement_timeout_s: float = setting(
        10.0, "Seconds a statement may take before the batch is tried again.", validator=_positive
    )
    lock_timeout_s: float = setting(
        5.0, "Seconds to wait for another program's lock before the batch is tried again.", validator=_positive
    )
    synchronous_commit: Literal["on", "off", "local", "remote_write", "remote_apply"] = setting(
        "on",
        "What a commit waits for. With off a crash of the server costs up to 0.6 s of data; of jrr alone nothing.",
        validator=validators.in_(("on", "off", "local", "remote_write", "remote_apply")),
    )
    partitions_ahead_days: int = setting(3, "Days for which partitions are made ahead.", validator=validators.ge(1))
    retention_days: dict[str, int] = setting(  # noqa: RUF009 - an attrs class, and a factory behind it
        {}, "Days to keep, by relation (trades, book_deltas, ...); what is not named is kept.",
        validator=_known_relations,
    )  # fmt: skip
    retired: Literal["drop", "keep"] = setting(
        "drop",
        "What becomes of a partition past its retention: dropped, or kept as a detached table to be archived.",
        validator=validators.in_(("drop", "keep")),
    )
    checkpoint_s: float = setting(
        300.0, "Seconds between two checkpoints of each whole book, from which books are rebuilt; 0 for none.",
        validator=validators.ge(0),
    )  # fmt: skip
    compact: bool = setting(True, "Rewrite closed days into compact blocks while collecting, in a process of its own.")
    compact_after_h: float = setting(
        6.0, "Hours after its end when a day is compacted: late rows arrive until then.", validator=validators.ge(0)
    )


@define(frozen=True)
class Target:
    """Where to connect to. `given` is what overrides the parts of `dsn`, where there is one."""

    host: str
    port: int
    database: str
    user: str | None
    password: str | None = field(default=None, repr=False)
    dsn: str = field(default="", repr=False)
    given: Mapping[str, Any] = field(factory=dict, repr=False)

    @property
    def place(self) -> str:
        """The server as people write it."""
        return f"{self.host}:{self.port}"

    def arguments(self, database: str | None = None) -> dict[str, Any]:
        """Return what `asyncpg.connect` takes, for this database or another one of the server."""
        found: dict[str, Any] = dict(self.given)
        if self.dsn:
            found |= {"dsn": self.dsn, "password": self.password}
        else:
            found |= {"host": self.host, "port": self.port, "user": self.user, "password": self.password}
        found["database"] = database or self.database
        return {name: value for name, value in found.items() if value is not None}


def target_of(settings: StorageConfig, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Target:
    """Return where `settings`, the environment and `.env` together lead; settings win, then the environment.

    Raises ConfigError for a dsn or a port that is none.
    """
    given = {name: getattr(settings, name) for name in _VARIABLES if getattr(settings, name) is not None}
    chosen = _from_dsn(settings.dsn) | given
    variables = _variables(os.environ if environ is None else environ, Path() if folder is None else folder)
    for name, variable in _VARIABLES.items():
        # A dsn names another server: the variables then only bring the password it leaves out.
        if name not in chosen and variables.get(variable) and (name == "password" or not settings.dsn):
            chosen[name] = variables[variable]
    if settings.sslmode is not None:
        given["ssl"] = settings.sslmode
    hide(chosen.get("password"))
    return Target(
        host=chosen.get("host") or "localhost",
        port=_port(chosen.get("port", 5432)),
        database=chosen.get("database") or DATABASE,
        user=chosen.get("user"),
        password=chosen.get("password"),
        dsn=settings.dsn,
        given=given,
    )


def _from_dsn(dsn: str) -> dict[str, Any]:
    if not dsn:
        return {}
    form = "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    try:
        parts = urlsplit(dsn)
        port = parts.port
    except ValueError:
        raise ConfigError(f"sinks.postgres.dsn (value not shown) is not an address; {form}") from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise ConfigError(f"sinks.postgres.dsn (value not shown) does not begin with postgresql://; {form}")
    query = dict(part.partition("=")[::2] for part in parts.query.split("&") if part)
    found = {
        "host": unquote(query.get("host", "")) or parts.hostname, "port": port or query.get("port"),
        "database": unquote(parts.path.lstrip("/")), "user": parts.username and unquote(parts.username),
        "password": parts.password and unquote(parts.password),
    }  # fmt: skip
    return {name: value for name, value in found.items() if value}


def _variables(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    written = {name: value for _, name, value, _ in read_dotenv(folder) if name in _VARIABLES.values() and value}
    return written | {name: environ[name] for name in _VARIABLES.values() if environ.get(name)}


def _port(value: object) -> int:
    try:
        port = int(str(value))
    except ValueError:
        port = 0
    if not 0 < port < 65536:
        raise ConfigError(
            f"the port of the PostgreSQL server is {value!r}; DB_PORT or sinks.postgres.port takes a number"
        )
    return port
