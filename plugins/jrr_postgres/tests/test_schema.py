"""The schema: made from nothing, brought forward from every earlier version, refused when it is not ours."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from jrr_postgres import PostgresSink, StorageConfig, schema
from jrr_postgres.compact import compact
from jrr_postgres.queries import Queries
from jrr_postgres.tables import RELATIONS, TABLES
from jrr_postgres.testing import connected, execute, opened

from jrr_core.errors import ConfigError
from jrr_core.events import Trade
from jrr_core.testing import samples

pytestmark = pytest.mark.every_server
NUMBERS = {
    "price", "amount", "bid_price", "bid_amount", "ask_price", "ask_amount", "open", "high", "low", "close", "volume",
    "quote_volume", "rate", "mark_price", "index_price", "value", "tick_size", "lot_size", "contract_size",
}  # fmt: skip


def on(dsn: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with connected(dsn) as connection:
            return await work(connection)

    return asyncio.run(run())


def test_every_version_is_recorded(dsn: str) -> None:
    async def make(connection: Any) -> list[int]:
        await schema.prepare(connection, "jrr")
        await schema.prepare(connection, "jrr")
        return [row[0] for row in await connection.fetch("SELECT version FROM jrr.schema_version ORDER BY 1")]

    assert on(dsn, make) == [step.version for step in schema.STEPS]


@pytest.mark.parametrize("old", range(1, schema.VERSION))
def test_an_older_schema_is_brought_forward_with_its_rows(dsn: str, old: int) -> None:
    async def make(connection: Any) -> None:
        await schema.prepare(connection, "jrr", old)
        await connection.execute(
            "INSERT INTO jrr.streams (exchange, symbol) VALUES ('old', 'A');"
            "CREATE TABLE jrr.stored_trades_20240101 PARTITION OF jrr.stored_trades "
            "FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2024-01-02 00:00+00');"
            "INSERT INTO jrr.stored_trades SELECT '2024-01-01 10:00+00', '2024-01-01 10:00+00', 7, id, 1, 0, 0, true, "
            "1.50, 2, NULL, NULL FROM jrr.streams"
        )
        assert await connection.fetchval("SELECT price FROM jrr.trades") == Decimal("1.50")

    async def after() -> list[Trade]:
        async with opened(dsn) as sink:
            await sink.write([samples.trade(1)])
        async with Queries(StorageConfig(dsn=dsn)) as store:
            return [event async for event in store.trades("old", "A")]

    on(dsn, make)
    assert [(event.trade_id, str(event.price)) for event in asyncio.run(after())] == [("7", "1.50")]
    # The blocks that came later take the rows that were there before.
    (packed,) = on(dsn, lambda c: compact(c, "jrr", date(2024, 1, 2), print))
    assert (packed.relation, packed.rows, packed.left) == ("trades", 2, 0)
    assert [(event.trade_id, str(event.price)) for event in asyncio.run(after())] == [("7", "1.50")]
    assert on(dsn, lambda c: c.fetchval("SELECT max(version) FROM jrr.schema_version")) == schema.VERSION


def test_a_newer_schema_is_refused_with_both_versions_and_the_cure(dsn: str) -> None:
    async def make(connection: Any) -> None:
        await schema.prepare(connection, "jrr")
        await connection.execute("INSERT INTO jrr.schema_version (version, what) VALUES (99, 'the future')")

    on(dsn, make)
    with pytest.raises(ConfigError, match=rf"version 99.*up to {schema.VERSION}.*install a newer"):
        asyncio.run(PostgresSink(StorageConfig(dsn=dsn)).open())


def test_another_programs_tables_are_refused_and_left(dsn: str) -> None:
    asyncio.run(execute(dsn, "CREATE SCHEMA jrr", "CREATE TABLE jrr.theirs (x int)"))
    with pytest.raises(ConfigError, match=r"tables of another program; set sinks\.postgres\.schema"):
        asyncio.run(PostgresSink(StorageConfig(dsn=dsn)).open())
    assert on(dsn, lambda c: c.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'jrr'")) == 1


def test_a_server_that_is_too_old_is_refused(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "OLDEST_SERVER", 990_000)
    with pytest.raises(ConfigError, match="needs 99 or newer"):
        asyncio.run(PostgresSink(StorageConfig(dsn=dsn)).open())


def test_the_views_have_exact_types(dsn: str) -> None:
    """Times are timestamptz with the nanoseconds beside them, prices numeric, levels jsonb: no float anywhere."""

    async def types(connection: Any) -> dict[tuple[str, str], str]:
        await schema.prepare(connection, "jrr")
        rows = await connection.fetch(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'jrr' "
            "AND table_name IN (SELECT viewname FROM pg_views WHERE schemaname = 'jrr')"
        )
        return {(row[0], row[1]): row[2] for row in rows}

    found = on(dsn, types)
    assert {view for view, _ in found} == {*RELATIONS, "instruments", "stream_events", "coverage"}
    for (view, column), kind in found.items():
        if (column.startswith("ts_") and not column.endswith("_ns")) or column.endswith("_time"):
            assert kind == "timestamp with time zone", (view, column)
            assert found[view, f"{column}_ns"] == "bigint", (view, column)
        if column in NUMBERS:
            assert kind == "numeric", (view, column)
        if column in ("bids", "asks"):
            assert kind == "jsonb", (view, column)
    assert not {"double precision", "real", "timestamp without time zone"} & {*found.values()}
    for table in TABLES:
        assert {"exchange", "symbol", "ts_event", "ts_recv", *table.event.fields()} <= {
            column for view, column in found if view == table.view
        }
