"""The schema: made step by step from nothing, brought forward when it is older, refused when it is newer.

Each step is one version, recorded with its time in `schema_version`. Views are
made anew after every change, so only tables need care. Two collectors that
start at once take turns.
"""

from collections.abc import Sequence
from typing import Any

from attrs import define

from jrr_core.errors import ConfigError

from . import packing
from .lines import LETTERS
from .server import LONG_S, be_patient
from .tables import TABLES
from .views import views

OLDEST_SERVER = 150_000


@define(frozen=True)
class Step:
    """What makes a schema of version n out of one of version n - 1."""

    version: int
    what: str

    def statements(self, schema: str) -> Sequence[str]:
        """Return the statements, all for one transaction."""
        return {1: _rows, 2: _packed}[self.version](schema)


STEPS = (
    Step(1, "rows, instruments, coverage"),
    Step(2, "compact blocks of closed days, checkpoints of books"),
)
VERSION = STEPS[-1].version


async def version_of(connection: Any, schema: str) -> int:
    """Return the version of the schema, 0 where there is none.

    Raises ConfigError for a namespace that is not jrr's and for a version
    this program does not know.
    """
    # By the catalogue's rows, not by to_regclass: within a transaction that one may answer from before its locks.
    ours, taken = await connection.fetchrow(
        "SELECT count(*) FILTER (WHERE c.relname = 'schema_version'), count(*) FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1",
        schema,
    )
    if not ours:
        if taken:
            raise ConfigError(
                f"the namespace {schema} of this database holds tables of another program; set sinks.postgres.schema"
            )
        return 0
    version: int = await connection.fetchval(f"SELECT max(version) FROM {schema}.schema_version")
    if version > VERSION:
        raise ConfigError(
            f"namespace {schema} has schema version {version}, this jrr-postgres knows up to {VERSION}: "
            "install a newer jrr-postgres, or set sinks.postgres.schema to another namespace"
        )
    return version


async def refuse_foreign(connection: Any, schema: str) -> None:
    """Raise ConfigError where the user does not own jrr's tables: who does not cannot make their partitions.

    Looks into the catalog only, which needs no privilege: comes before whatever would fail for want of one.
    """
    owner = await connection.fetchval(
        "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = to_regnamespace($1) "
        "AND relkind IN ('r', 'p') AND NOT pg_has_role(relowner, 'USAGE') "
        "AND EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relname = 'schema_version') "
        "LIMIT 1",
        schema,
    )
    if owner is not None:
        user = await connection.fetchval("SELECT current_user")
        raise ConfigError(
            f"the tables of namespace {schema} belong to {owner}, so user {user} cannot write and extend them: "
            f"GRANT {owner} TO {user}, or set sinks.postgres.user (DB_USER) to {owner}"
        )


async def prepare(connection: Any, schema: str, version: int = VERSION) -> None:
    """Bring the schema to `version`, all or nothing; the connection must be outside a transaction.

    Raises ConfigError as `version_of` does, and for a server that is too old.
    """
    number = int(await connection.fetchval("SHOW server_version_num"))
    if number < OLDEST_SERVER:
        raise ConfigError(
            f"the server is PostgreSQL {number // 10_000}; jrr-postgres needs {OLDEST_SERVER // 10_000} or newer"
        )
    if await version_of(connection, schema) == version:
        return
    await be_patient(connection)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"{schema} schema")
        found = await version_of(connection, schema)
        if found == version:
            return
        if found == 0 and not await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", schema):
            await connection.execute(f"CREATE SCHEMA {schema}")
        for step in STEPS[found:version]:
            await connection.execute(";".join(step.statements(schema)), timeout=LONG_S)
            await connection.execute(
                f"INSERT INTO {schema}.schema_version (version, what) VALUES ($1, $2)", step.version, step.what
            )
        await connection.execute(";".join(views(schema, version)))


def _rows(schema: str) -> Sequence[str]:
    statements = [text.format(schema=schema) for text in _TABLES]
    for table in TABLES:
        statements += table.create(schema)
    return [*statements, _levels_json(schema), *[text.format(schema=schema) for text in _AGGREGATES]]


def _packed(schema: str) -> Sequence[str]:
    return [*packing.statements(schema), _CHECKPOINTS.format(schema=schema)]


_TABLES = (
    "CREATE TABLE {schema}.schema_version (version int PRIMARY KEY, since timestamptz NOT NULL DEFAULT now(), "
    "what text NOT NULL)",
    """CREATE TABLE {schema}.streams (
        id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, exchange text NOT NULL, symbol text NOT NULL, part text,
        UNIQUE NULLS NOT DISTINCT (exchange, symbol, part))""",
    """CREATE TABLE {schema}.instrument_versions (
        exchange text NOT NULL, symbol text NOT NULL, base text NOT NULL, quote text NOT NULL, settle text,
        kind text NOT NULL, tick_size numeric, lot_size numeric, contract_size numeric, contract_currency text,
        canonical text NOT NULL, expiry bigint, status text NOT NULL, active boolean NOT NULL,
        valid_from timestamptz NOT NULL DEFAULT now(), valid_to timestamptz,
        PRIMARY KEY (exchange, symbol, valid_from))""",
    "CREATE UNIQUE INDEX instrument_versions_current ON {schema}.instrument_versions (exchange, symbol) "
    "WHERE valid_to IS NULL",
    """CREATE TABLE {schema}.writers (
        slot int PRIMARY KEY, alive_to bigint NOT NULL, since timestamptz NOT NULL, host text NOT NULL)""",
    """CREATE TABLE {schema}.stored_stream_events (
        stream int NOT NULL, type text NOT NULL, session text NOT NULL, ts_recv bigint NOT NULL, first bigint,
        last bigint, ts_event bigint, reason text, count bigint, ts_from bigint, ts_to bigint,
        UNIQUE NULLS NOT DISTINCT (stream, type, session, ts_recv, first, last))""",
    """CREATE TABLE {schema}.stored_coverage (
        stream int NOT NULL, slot int NOT NULL, ts_from bigint NOT NULL, ts_to bigint NOT NULL, state text NOT NULL,
        reason text, missing bigint, live boolean NOT NULL, PRIMARY KEY (stream, slot, ts_from))""",
    "CREATE TABLE {schema}.retired (relation text PRIMARY KEY, until bigint NOT NULL)",
)
_AGGREGATES = (
    "CREATE FUNCTION {schema}.first_of(anyelement, anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE STRICT "
    "PARALLEL SAFE AS 'SELECT $1'",
    "CREATE FUNCTION {schema}.last_of(anyelement, anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE STRICT "
    "PARALLEL SAFE AS 'SELECT $2'",
    "CREATE AGGREGATE {schema}.first(anyelement) (SFUNC = {schema}.first_of, STYPE = anyelement)",
    "CREATE AGGREGATE {schema}.last(anyelement) (SFUNC = {schema}.last_of, STYPE = anyelement)",
)
_CHECKPOINTS = """CREATE TABLE {schema}.checkpoints (
    stream int NOT NULL, ts timestamptz NOT NULL, ts_ns smallint NOT NULL, recv timestamptz NOT NULL,
    recv_ns smallint NOT NULL, sequence bigint NOT NULL, levels text NOT NULL, PRIMARY KEY (stream, ts))"""


def _levels_json(schema: str) -> str:
    text = "split_part(levels, '|', side)"
    for long, short in reversed(LETTERS):
        text = f"replace({text}, '{short}', '{long}')"
    return f"""
        CREATE FUNCTION {schema}.levels_json(levels text, side int) RETURNS jsonb
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
            SELECT CASE plain WHEN '' THEN '[]'::jsonb ELSE
                ('[["' || replace(replace(left(plain, -1), ',', '","'), ';', '"],["') || '"]]')::jsonb END
            FROM (SELECT {text} AS plain) AS undone
        $$"""
