"""What people read: a view per relation, over rows and blocks; each relation between two times; coverage.

Made anew with every version of the schema. A view of a relation whose closed
days are packed cannot know from a condition on time which blocks to leave
out; `<relation>_between(since, until)` does.
"""

from collections.abc import Sequence

from attrs import fields

from jrr_core.instrument import Instrument

from .packing import PACKED, unpacked
from .sources import within
from .tables import TABLES, Table

_INSTRUMENT = ", ".join([field.name for field in fields(Instrument)])


def views(schema: str, version: int) -> Sequence[str]:
    """Return the statements that make views and functions of a schema of this version, in the place of older ones."""
    statements = [f"DROP VIEW IF EXISTS {schema}.{name}" for name in _VIEWS]
    for table in TABLES:
        packed = version >= 2 and table in PACKED
        statements += [
            f"DROP FUNCTION IF EXISTS {schema}.{table.view}_between",
            f"DROP VIEW IF EXISTS {schema}.{table.view}",
            f"CREATE VIEW {schema}.{table.view} AS {_whole(schema, table, packed)}",
            _between(schema, table, packed),
        ]
    statements += [f"CREATE VIEW {schema}.{name} AS {text.format(schema=schema)}" for name, text in _VIEWS.items()]
    return statements


def _whole(schema: str, table: Table, packed: bool) -> str:
    sources = [f"{schema}.{table.name}"]
    if table.undated:
        sources.append(f"{schema}.{table.beside}")
    if packed:
        sources.append(f"({unpacked(schema, table)})")
    return " UNION ALL ".join([table.select(schema, source) for source in sources])


def _between(schema: str, table: Table, packed: bool) -> str:
    """Return the function that reads a relation between two times; simple enough for the planner to look into."""
    sources = within(schema, table, "$1", "$2", packed=packed)
    whole = " UNION ALL ".join([table.select(schema, f"({source})") for source in sources])
    return (
        f"CREATE FUNCTION {schema}.{table.view}_between(since timestamptz, until timestamptz) "
        f"RETURNS SETOF {schema}.{table.view} LANGUAGE sql STABLE PARALLEL SAFE AS $$ {whole} $$"
    )


_RELATION = """CASE WHEN part = 'trade' THEN 'trades' WHEN part = 'quote' THEN 'quotes'
    WHEN part = 'book' THEN 'book_deltas' WHEN part LIKE 'book_snapshot%' THEN 'book_snapshots'
    WHEN part LIKE 'candle%' THEN 'candles' WHEN part = 'funding' THEN 'funding_rates'
    WHEN part = 'mark_price' THEN 'mark_prices' WHEN part = 'liquidation' THEN 'liquidations' ELSE part END"""
_AS_TIME = "to_timestamp({0} / 1000000000) + {0} % 1000000000 / 1000 * interval '1 microsecond'"


def _time_pair(name: str, prefix: str = "") -> str:
    return f"{_AS_TIME.format(prefix + name)} AS {name}, {prefix}{name} AS {name}_ns"


_VIEWS = {
    "instruments": f"SELECT {_INSTRUMENT} FROM {{schema}}.instrument_versions WHERE valid_to IS NULL",
    "stream_events": f"""
        SELECT e.type, s.exchange, s.symbol, s.part AS what, e.session, {_time_pair("ts_event", "e.")},
            {_time_pair("ts_recv", "e.")}, {_time_pair("ts_from", "e.")}, {_time_pair("ts_to", "e.")}, e.reason,
            e.count,
            CASE WHEN e.first IS NOT NULL THEN jsonb_build_array(e.first, e.last) END AS sequences
        FROM {{schema}}.stored_stream_events e JOIN {{schema}}.streams s ON s.id = e.stream""",
    # A live range reaches to where its writer was last alive. Where several collectors wrote one stream, what any of
    # them has is complete, and what none has between the first range and the last is a gap.
    "coverage": f"""
        WITH found AS (
            SELECT c.stream, c.slot, c.ts_from, c.state, c.reason, c.missing,
                CASE WHEN c.live THEN greatest(c.ts_to, w.alive_to) ELSE c.ts_to END AS ts_to
            FROM {{schema}}.stored_coverage c JOIN {{schema}}.writers w ON w.slot = c.slot
        ), sets AS (
            SELECT stream, count(DISTINCT slot) > 1 AS shared,
                coalesce(range_agg(int8range(ts_from, ts_to)) FILTER (WHERE state = 'complete'), '{{{{}}}}') AS whole,
                coalesce(range_agg(int8range(ts_from, ts_to)) FILTER (WHERE state = 'backfilled'), '{{{{}}}}')
                    AS mended,
                int8multirange(int8range(min(ts_from), max(ts_to))) AS history
            FROM found GROUP BY stream
        ), merged AS (
            SELECT stream, 'complete' AS state, unnest(whole) AS span FROM sets WHERE shared
            UNION ALL SELECT stream, 'backfilled', unnest(mended - whole) FROM sets WHERE shared
            UNION ALL SELECT stream, 'gap', unnest(history - whole - mended) FROM sets WHERE shared
        ), ranges AS (
            SELECT stream, ts_from, ts_to, state, reason, missing FROM found
            WHERE stream IN (SELECT stream FROM sets WHERE NOT shared)
            UNION ALL
            SELECT m.stream, lower(m.span), upper(m.span), m.state, CASE m.state
                WHEN 'complete' THEN (
                    SELECT f.reason FROM found f
                    WHERE f.stream = m.stream AND f.state = m.state AND f.ts_to = upper(m.span)
                    ORDER BY f.reason NULLS FIRST LIMIT 1)
                ELSE coalesce((
                    SELECT f.reason FROM found f
                    WHERE f.stream = m.stream AND f.state = m.state AND int8range(f.ts_from, f.ts_to) && m.span
                    ORDER BY f.ts_from LIMIT 1), 'not running') END,
                (SELECT f.missing FROM found f
                 WHERE f.stream = m.stream AND f.state = m.state AND int8range(f.ts_from, f.ts_to) = m.span LIMIT 1)
            FROM merged m
        )
        SELECT s.exchange, s.part AS channel, s.symbol, {_time_pair("ts_from")}, {_time_pair("ts_to")}, state, reason,
            missing
        FROM (
            SELECT r.stream, greatest(r.ts_from, t.until) AS ts_from, r.ts_to, r.state, r.reason, r.missing
            FROM ranges r JOIN {{schema}}.streams s ON s.id = r.stream
            LEFT JOIN {{schema}}.retired t ON t.relation = {_RELATION}
            WHERE t.until IS NULL OR r.ts_to > t.until
        ) kept JOIN {{schema}}.streams s ON s.id = kept.stream""",
}
