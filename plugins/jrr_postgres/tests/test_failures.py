"""Errors: whose they are, in words that name the thing, its place and the cure."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from jrr_postgres import StorageConfig
from jrr_postgres.failures import breaks_connection, on_open, on_write
from jrr_postgres.settings import Target
from jrr_postgres.testing import opened

from jrr_core.errors import ConfigError, JrrError, SinkRejected, SinkUnavailable

TARGET = Target(
    "db.example", 5433, "market", "collector", "hunter2", "postgresql://collector:hunter2@db.example/market"
)
SETTINGS = StorageConfig(dsn=TARGET.dsn, schema="ticks")


def told(code: str, message: str = "told by the server", **more: str) -> BaseException:
    """Return the driver's error for what a server tells."""
    error: BaseException = asyncpg.PostgresError.new({"C": code, "M": message, **more})
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (told("28P01"), ["refuses user collector", "DB_PASSWORD", "sinks.postgres.user and .password"]),
        (told("28000"), ["refuses user collector", "DB_USER"]),
        (asyncpg.InterfaceError("password is needed"), ["DB_PASSWORD"]),
        (told("3D000"), ["no database 'market'", "createdb market", "DB_NAME"]),
        (told("42501"), ["lacks a privilege in database 'market'", "GRANT CREATE ON DATABASE market", "schema ticks"]),
        (told("42704", 'unrecognized configuration parameter "foo"'), ["foo", "[sinks.postgres]"]),
        (told("22023", "invalid value for parameter"), ["invalid value", "[sinks.postgres]"]),
        (asyncpg.ClientConfigurationError("sslmode"), ["sslmode", "[sinks.postgres]"]),
        (ConnectionError("PostgreSQL server rejected SSL upgrade"), ["speaks no SSL", "sinks.postgres.sslmode"]),
    ],
)
def test_what_the_user_must_change_is_a_configuration_error(error: BaseException, words: list[str]) -> None:
    found = on_open(error, TARGET, SETTINGS)
    assert isinstance(found, ConfigError)
    for word in ["PostgreSQL at db.example:5433", *words]:
        assert word in str(found)
    assert "hunter2" not in str(found)


def test_a_user_that_is_not_named_is_the_account() -> None:
    found = on_open(told("28P01"), Target("h", 1, "d", None), SETTINGS)
    assert "the account jrr runs under" in str(found)


AWAY = [
    ("08006", True), ("57P01", True), ("57P02", True), ("57P03", True), ("57014", True), ("53100", False),
    ("53200", False), ("53300", False), ("40001", False), ("40P01", False), ("55P03", False), ("25006", False),
    ("58030", False), ("XX000", False), ("42501", False), ("42P01", False), ("0A000", False),
]  # fmt: skip


@pytest.mark.parametrize(("code", "broken"), AWAY)
def test_what_passes_is_unavailable_and_the_same_batch_is_tried_again(code: str, broken: bool) -> None:
    found = on_write(told(code), TARGET)
    assert isinstance(found, SinkUnavailable)
    assert "PostgreSQL at db.example:5433" in str(found)
    assert breaks_connection(told(code)) is broken


@pytest.mark.parametrize("code", ["22P02", "22003", "22021", "22008", "23502", "23514", "23505", "54000"])
def test_what_is_wrong_with_a_row_is_rejected_with_its_detail(code: str) -> None:
    found = on_write(told(code, "bad value.", W="COPY stored_trades, line 3, column price\nCONTEXT 2"), TARGET)
    assert isinstance(found, SinkRejected)
    assert str(found) == "PostgreSQL refuses a row: bad value (COPY stored_trades, line 3, column price)"
    assert not breaks_connection(told(code))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "connection refused; start the server, or set DB_HOST"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed"), "connection refused"),
        (TimeoutError(), "did not answer in time"),
        (told("25006"), "takes no writes .* point jrr at the primary"),
        (told("42501", "permission denied for table t"), "permission denied for table t; grant the privilege"),
        (ConnectionResetError(), "ConnectionResetError"),
    ],
)
def test_what_keeps_the_store_away_is_said_with_its_cure(error: BaseException, words: str) -> None:
    with pytest.raises(SinkUnavailable, match=words):
        raise on_write(error, TARGET)
    assert breaks_connection(error) is not isinstance(error, asyncpg.PostgresError)


def refusal(dsn: str = "", **settings: Any) -> JrrError:
    async def main() -> None:
        async with opened(dsn, connect_timeout_s=5, **settings):
            pass

    with pytest.raises(JrrError) as caught:
        asyncio.run(main())
    return caught.value


@pytest.mark.parametrize("more", ["foo=bar", "sslmode=maybe", "bytea_output=base"])
def test_a_wrong_parameter_of_the_dsn_is_the_users_to_mend(more: str, dsn: str) -> None:
    assert isinstance(refusal(f"{dsn}?{more}"), ConfigError)


def test_a_host_that_is_not_there_is_named_with_its_cure(tmp_path: Path) -> None:
    for host, cure in (("no-such-host.invalid", "DB_HOST"), (str(tmp_path / "socket"), "DB_HOST")):
        found = refusal(host=host)
        assert isinstance(found, SinkUnavailable)
        assert host in str(found)
        assert cure in str(found)
