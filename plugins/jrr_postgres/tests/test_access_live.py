"""What the user must change is said at the start, by name, and never retried."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jrr_postgres.testing import PASSWORD_ROLE, Home, Server, execute, opened

from jrr_core.errors import ConfigError
from jrr_core.events import Trade


@pytest.fixture(scope="module")
def server(home: Home) -> Server:
    """A server with the roles `collector`, who needs the password `right`, and `reader`, and the database `market`."""
    own = home.new()
    asyncio.run(execute(own.dsn(), f"CREATE ROLE collector LOGIN PASSWORD 'right' IN ROLE {PASSWORD_ROLE}",
                        "CREATE ROLE reader LOGIN", "CREATE DATABASE market"))  # fmt: skip
    return own


def refusal(dsn: str, **settings: Any) -> str:
    """Open the sink, which must name the user's mistake; return its words."""

    async def main() -> None:
        async with opened(dsn, **settings):
            pass

    with pytest.raises(ConfigError) as caught:
        asyncio.run(main())
    return str(caught.value)


def test_a_wrong_password_is_told_without_showing_it(server: Server) -> None:
    said = refusal(server.dsn("market", user="collector", password="guessed"))
    assert "collector" in said
    assert "password authentication failed" in said
    assert "guessed" not in said
    assert "DB_PASSWORD" in said


def test_a_missing_password_is_told(server: Server) -> None:
    assert "DB_PASSWORD" in refusal(server.dsn("market", user="collector"))


def test_an_unknown_role_is_told(server: Server) -> None:
    assert "nemo" in refusal(server.dsn("market", user="nemo"))


def test_a_missing_database_is_told_to_who_may_not_create_it(server: Server) -> None:
    said = refusal(server.dsn("elsewhere", user="collector", password="right"))
    assert "elsewhere" in said
    assert "CREATEDB" in said


def test_a_namespace_that_may_not_be_created_is_told(server: Server) -> None:
    said = refusal(server.dsn("market", user="collector", password="right"))
    assert "collector" in said
    assert "GRANT CREATE ON DATABASE market" in said


@pytest.mark.parametrize("granted", ["nothing", "reading"])
def test_a_namespace_of_somebody_else_is_told(granted: str, server: Server, collector: Callable[..., Any]) -> None:
    async def owned() -> None:
        async with collector(server.dsn(f"of_{granted}")):
            pass
        if granted == "reading":
            await execute(server.dsn(f"of_{granted}"), "GRANT USAGE ON SCHEMA jrr TO reader",
                          "GRANT SELECT ON ALL TABLES IN SCHEMA jrr TO reader")  # fmt: skip

    asyncio.run(owned())
    said = refusal(server.dsn(f"of_{granted}", user="reader"))
    assert "reader" in said
    assert "jrr" in said


def test_a_privilege_taken_away_while_collecting_keeps_the_batch_until_it_is_back(
    server: Server, collector: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    def trade(number: int) -> Trade:
        ts = 1_700_000_000 * 10**9 + number
        return Trade("sim", "BTCUSDT", ts, ts, Decimal(1), Decimal(1), "buy", str(number))

    dsn, admin = server.dsn("revoked", user="collector", password="right"), server.dsn("revoked")

    async def main() -> None:
        await execute(server.dsn(), "CREATE DATABASE revoked OWNER collector")
        async with collector(dsn) as into:
            into.put(trade(1))
            await into.settled()
            await execute(admin, "REVOKE INSERT ON jrr.stored_trades FROM collector")
            into.put(trade(2))
            await asyncio.sleep(0.3)
            assert (into.drain.state, into.drain.pending) == ("away", 1)
            await execute(admin, "GRANT INSERT ON jrr.stored_trades TO collector")
            await into.settled()
            assert into.counters.written == 2

    asyncio.run(main())
    assert "permission denied for table stored_trades; grant the privilege" in caplog.text


@pytest.mark.parametrize(
    ("user", "database", "named"),
    [("collector:guessed", "market", "DB_PASSWORD"), ("reader", "nowhere", "CREATEDB")],
)
def test_the_command_ends_with_code_2(user: str, database: str, named: str, server: Server, tmp_path: Path) -> None:
    dsn = f"postgresql://{user}@127.0.0.1:{server.port}/{database}"
    script = "from jrr_core.cli import main; main()"
    for command in (
        ["postgres", "init", "--set", f"sinks.postgres.dsn={dsn}"],
        ["run", "--plugins", "binance,postgres", "--subscribe", "binance:btcusdt@trade", "--for", "30s",
         "--set", "exchanges.binance.ws_url=ws://127.0.0.1:9", "--set", "exchanges.binance.rest_url=http://127.0.0.1:9",
         "--set", f"sinks.postgres.dsn={dsn}"],
    ):  # fmt: skip
        done = subprocess.run([sys.executable, "-c", script, *command], cwd=tmp_path, capture_output=True, text=True,
                              timeout=60, check=False)  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert named in done.stderr
        assert "guessed" not in done.stderr + done.stdout
        assert "Traceback" not in done.stderr
