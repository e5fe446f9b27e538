"""Packed days in the database: their tables, the SQL that reads blocks, the trigger that keeps late rows out.

`statements` is run by the schema code; everything in it may be run again. The
readers (`packed.sql`) do in SQL what `codec` and `blocks` do in Python, so that
views, psql and other languages see packed rows without help.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from importlib.resources import files

from .blocks import COLUMNS, Kind
from .codec import FORMAT
from .tables import TABLES, Table

PACKED = tuple(table for table in TABLES if table.view in COLUMNS)
"""The tables whose closed days can be packed."""

_READERS: Mapping[Kind, str] = {
    "decimal": "packed_decimals(bits, at, n)", "text": "packed_texts(data, bits, at, n)",
    "delta_levels": "packed_levels(bits, at, n)", "snapshot_levels": "packed_levels(bits, at, n)",
}  # fmt: skip
_ARRAYS: Mapping[Kind, str] = {
    "decimal": "numeric[]", "text": "text[]", "delta_levels": "text[]", "snapshot_levels": "text[]",
}  # fmt: skip


def leaf(table: Table, day: date) -> str:
    """Return the name of the partition that holds a day's blocks."""
    return f"packed_{table.view}_{day:%Y%m%d}"


def statements(schema: str) -> list[str]:
    """Return what makes tables, readers and guards; each may be run again."""
    text = files(__package__).joinpath("packed.sql").read_text("utf-8")
    found = [text.replace("{schema}", schema).replace("{format}", str(FORMAT))]
    for table in PACKED:
        # A block is found by time or by key: first_key and last_key are its lowest and highest trade_id, sequence or
        # position; they are null, and first_position and last_position stand instead, where positions are times.
        found.append(
            f"CREATE TABLE IF NOT EXISTS {schema}.packed_{table.view} (ts_from timestamptz NOT NULL, "
            "ts_to timestamptz NOT NULL, first_key bigint, last_key bigint, first_position bigint, "
            "last_position bigint, stream int NOT NULL, rows int NOT NULL, data bytea NOT NULL) "
            "PARTITION BY RANGE (ts_from)"
        )
        # Bits compress no further.
        found.append(f"ALTER TABLE {schema}.packed_{table.view} ALTER data SET STORAGE EXTERNAL")
        found += [_reader(schema, table), _guard(schema, table)]
    return found


def create_leaf(schema: str, table: Table, day: date) -> list[str]:
    """Return what makes the partition for a day's blocks as a table of its own."""
    name = leaf(table, day)
    return [
        f"CREATE TABLE {schema}.{name} (LIKE {schema}.packed_{table.view} INCLUDING STORAGE)",
        f"CREATE INDEX {name}_stream ON {schema}.{name} (stream, ts_from, ts_to)",
    ]


def attach_leaf(schema: str, table: Table, day: date) -> list[str]:
    """Return what makes the table of a day's blocks a partition."""
    return [
        f"ALTER TABLE {schema}.packed_{table.view} ATTACH PARTITION {schema}.{leaf(table, day)} "
        f"FOR VALUES FROM ('{day} 00:00+00') TO ('{day + timedelta(days=1)} 00:00+00')"
    ]


def guard(schema: str, table: Table, leaf: str) -> list[str]:
    """Return what keeps rows that are in a block out of a partition of rows.

    For partitions of days that were packed: the trigger passes over a row
    whose key is in the blocks, and neither INSERT nor COPY counts it.
    """
    return [
        f"CREATE OR REPLACE TRIGGER guard BEFORE INSERT ON {schema}.{leaf} "
        f"FOR EACH ROW EXECUTE FUNCTION {schema}.guard_{table.view}()"
    ]


def unpacked(schema: str, table: Table, where: str = "") -> str:
    """Return a SELECT of all packed rows with the names and order of the row table.

    `where`, a condition on the blocks `p` (stream, ts_from, ts_to, first_key,
    last_key), keeps it from reading every block: nothing is derived from a
    condition on the rows but for `stream`. A block's times are those by which
    the row table is partitioned.
    """
    names = ", ".join(["p.stream" if name == "stream" else f"u.{name}" for name in table.columns])
    condition = f" WHERE {where}" if where else ""
    return (
        f"SELECT {names} FROM {schema}.packed_{table.view} p, LATERAL {schema}.unpack_{table.view}(p.data) u{condition}"
    )


def _reader(schema: str, table: Table) -> str:
    """Return the function that makes one block's rows."""
    kinds = {name: kind for name, (kind, _) in COLUMNS[table.view].items()}
    shown = _shown(table, kinds)
    columns = {name: kind.partition(" ")[0] for name, kind in table.columns.items() if name != "stream"}
    types = ", ".join([f'"{name}" {kind}' for name, kind in columns.items()])
    selected = ", ".join([f"({shown[name]})::{kind}" for name, kind in columns.items()])
    variables = " ".join([f"c{place} {_ARRAYS.get(kind, 'bigint[]')};" for place, kind in enumerate(kinds.values())])
    reads = "\n".join([
        f"SELECT * INTO at, c{place} FROM {schema}.{_READERS.get(kind, 'packed_numbers(bits, at, n)')};"
        for place, kind in enumerate(kinds.values())
    ])  # fmt: skip
    arrays = ", ".join([f"c{place}" for place in range(len(kinds))])
    return f"""CREATE OR REPLACE FUNCTION {schema}.unpack_{table.view}(data bytea) RETURNS TABLE ({types})
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE ROWS 1000 COST 100000 AS $$
#variable_conflict use_column
DECLARE
    bits varbit := {schema}.packed_bits(data);
    n int := {schema}.packed_number(bits, 9, 32);
    at int := 41;
    {variables}
BEGIN
{reads}
RETURN QUERY SELECT {selected} FROM unnest({arrays}) AS r ({", ".join(kinds)});
END $$"""


def _shown(table: Table, kinds: Mapping[str, Kind]) -> Mapping[str, str]:
    """Return the row table's columns as expressions over the block's."""
    key = next(iter(kinds))
    shown = {name: name for name in kinds}
    for name, kind in kinds.items():
        if kind == "time":
            shown[name] = f"timestamptz '1970-01-01 00:00+00' + ({name} / 1000) * interval '1 microsecond'"
            shown[name.removeprefix("ts_") + "_ns"] = f"coalesce({name} % 1000, 0)"
        elif kind == "chained":
            shown[name] = f"{name} + coalesce(lag({key}) OVER (), {key})"
        elif kind == "flag":
            shown[name] = f"{name} <> 0"
    if "position" in table.columns:
        shown |= {"position": "coalesce(sequence, ts_event, ts_recv)", "dated": "sequence IS NULL"}
    return shown


def _guard(schema: str, table: Table) -> str:
    """Return the trigger's function: is the row's key in a block of about its time?

    A block's keys are read once for a transaction, into a temporary table, as
    a replay brings thousands of rows for the same few blocks.
    """
    key = table.unique[-1]
    margin = f"interval '{'10 minutes' if table.near else '1 minute'}'"
    own, rows = f"NEW.{key}::text", f"SELECT u.{key}::text AS key FROM {schema}.unpack_{table.view}(p.data) u"
    within = f"NEW.{key} BETWEEN p.first_key AND p.last_key"
    if key == "trade_id":
        own, rows = f"coalesce(NEW.trade_uid, {own})", rows.replace("u.trade_id::text", "u.trade_uid")
        within += " OR NEW.trade_uid IS NOT NULL AND p.first_key IS NULL"
    elif key == "position":
        within += f" OR NEW.{key} BETWEEN p.first_position AND p.last_position"
    return f"""CREATE OR REPLACE FUNCTION {schema}.guard_{table.view}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
FOR found IN
    SELECT p.tableoid AS leaf, p.ctid AS block FROM {schema}.packed_{table.view} p
    WHERE p.stream = NEW.stream AND ({within})
    AND p.ts_from >= date_trunc('day', NEW.{table.time} - {margin}, 'UTC')
    AND p.ts_from <= NEW.{table.time} + {margin} AND p.ts_to >= NEW.{table.time} - {margin}
LOOP
    IF to_regclass('pg_temp.jrr_packed_keys') IS NULL THEN
        CREATE TEMP TABLE jrr_packed_keys (leaf oid, block tid, key text, PRIMARY KEY (leaf, block, key))
        ON COMMIT DELETE ROWS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_temp.jrr_packed_keys k WHERE k.leaf = found.leaf AND k.block = found.block) THEN
        INSERT INTO pg_temp.jrr_packed_keys
        SELECT found.leaf, found.block, u.key FROM {schema}.packed_{table.view} p, LATERAL (
            SELECT number::text AS key FROM unnest({schema}.packed_keys(p.data)) number WHERE p.first_key IS NOT NULL
            UNION ALL SELECT r.key FROM ({rows} WHERE p.first_key IS NULL) r) u
        WHERE p.tableoid = found.leaf AND p.ctid = found.block ON CONFLICT DO NOTHING;
    END IF;
    IF EXISTS (
        SELECT FROM pg_temp.jrr_packed_keys k
        WHERE k.leaf = found.leaf AND k.block = found.block AND k.key = {own})
    THEN RETURN NULL; END IF;
END LOOP;
RETURN NEW;
END $$"""
