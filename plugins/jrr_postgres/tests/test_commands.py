"""`jrr postgres`: the store set up and compacted from the command line."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from click.testing import CliRunner, Result
from jrr_postgres.schema import VERSION
from jrr_postgres.testing import execute, fetch, opened

from jrr_core.cli import main
from jrr_core.testing import samples


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No jrr.toml, no .env, no variables of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOST", "PORT", "NAME", "USER", "PASSWORD"):
        monkeypatch.delenv(f"DB_{name}", raising=False)


def jrr(*words: str, dsn: str) -> Result:
    return CliRunner().invoke(main, ["postgres", *words, "--set", f"sinks.postgres.dsn={dsn}"])


def value(dsn: str, query: str) -> Any:
    return asyncio.run(fetch(dsn, query))[0][0]


def write(dsn: str, *events: Any) -> None:
    async def run() -> None:
        async with opened(dsn) as sink:
            await sink.write(events)

    asyncio.run(run())


def test_init_makes_database_and_schema_and_may_come_again(dsn: str) -> None:
    parts = urlsplit(dsn)
    name = parts.path.lstrip("/") + "_new"
    fresh = urlunsplit(parts._replace(path=f"/{name}"))
    try:
        for _ in range(2):
            done = jrr("init", dsn=fresh)
            assert done.exit_code == 0, done.output
            assert f"database {name} of {parts.hostname}:{parts.port} is ready" in done.output
            assert f"namespace jrr, schema version {VERSION}" in done.output
        assert value(fresh, "SELECT count(*) FROM jrr.trades") == 0
    finally:
        asyncio.run(execute(dsn, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


def test_init_tells_of_a_server_that_is_away(dsn: str) -> None:
    parts = urlsplit(dsn)
    away = urlunsplit(parts._replace(netloc=f"{parts.username}:hunter2@{parts.hostname}:1"))
    failed = jrr("init", dsn=away)
    assert failed.exit_code == 1
    assert f"{parts.hostname}:1" in failed.output
    assert "hunter2" not in failed.output


def test_compact_packs_the_days_before_a_date(dsn: str) -> None:
    day_ns = 86_400 * 10**9
    first, second = samples.trade(1), samples.trade(2, ts_event=samples.START + day_ns)
    write(dsn, first, second)
    done = jrr("compact", "--before", "2024-01-02", dsn=dsn)
    assert done.exit_code == 0, done.output
    assert "2024-01-01" in done.output
    assert value(dsn, "SELECT sum(rows) FROM jrr.packed_trades") == 1
    assert value(dsn, "SELECT count(*) FROM jrr.stored_trades") == 1
    assert value(dsn, "SELECT count(*) FROM jrr.trades") == 2
    # Without a date every day that is over is closed.
    assert "2024-01-02" in jrr("compact", dsn=dsn).output
    assert value(dsn, "SELECT count(*) FROM jrr.stored_trades") == 0
    assert "nothing to compact" in jrr("compact", dsn=dsn).output


def test_a_date_that_is_none_is_refused(dsn: str) -> None:
    refused = jrr("compact", "--before", "yesterday", dsn=dsn)
    assert refused.exit_code == 2
    assert "--before 'yesterday' is not a date" in refused.output


def test_compacting_where_nothing_is_says_what_to_do(dsn: str) -> None:
    for where, says in ((dsn + "_none", "has no database"), (dsn, "collect something first")):
        refused = jrr("compact", dsn=where)
        assert refused.exit_code == 2
        assert says in refused.output


def test_a_schema_of_a_newer_jrr_is_not_compacted(dsn: str) -> None:
    write(dsn, samples.trade(1))
    asyncio.run(execute(dsn, "INSERT INTO jrr.schema_version (version, what) VALUES (99, 'the future')"))
    refused = jrr("compact", "--before", "2024-01-03", dsn=dsn)
    assert refused.exit_code == 2
    assert "install a newer jrr-postgres" in refused.output
    assert value(dsn, "SELECT count(*) FROM jrr.stored_trades") == 1
