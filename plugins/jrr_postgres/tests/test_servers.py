"""The servers the other tests stand on: fresh, breakable, and gone afterwards."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from jrr_postgres.testing import PASSWORD_ROLE, Given, Home, Proxy, Server, execute, fresh_database


def answer(dsn: str, query: str = "SELECT 1") -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(dsn, timeout=10)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(ask())


@pytest.mark.every_server
def test_each_kind_of_server_is_new_enough_and_gives_an_empty_database(dsn: str) -> None:
    assert int(str(answer(dsn, "SHOW server_version_num"))) >= 150_000
    assert answer(dsn, "SHOW server_encoding") == "UTF8"
    assert (
        answer(dsn, "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')") == 0
    )


def test_a_database_is_dropped_though_somebody_is_connected(home: Home) -> None:
    server = home.shared()

    with asyncio.Runner() as runner:
        with fresh_database(server) as dsn:
            lingering = runner.run(asyncpg.connect(dsn))
        lingering.terminate()
    name = urlsplit(dsn).path[1:]
    assert answer(server.dsn(), f"SELECT count(*) FROM pg_database WHERE datname = '{name}'") == 0


def test_a_given_server_keeps_its_address_and_password() -> None:
    given = Given("postgresql://me:secret@db.example:6543/postgres?sslmode=require")
    assert given.dsn("market") == "postgresql://me:secret@db.example:6543/market?sslmode=require"
    assert given.dsn() == "postgresql://me:secret@db.example:6543/postgres?sslmode=require"


def test_a_server_comes_back_at_the_same_address_with_what_it_had(own_server: Server) -> None:
    asyncio.run(execute(own_server.dsn(), "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)"))
    for mode in ("fast", "immediate"):
        own_server.stop(mode)
        assert not own_server.running
        with pytest.raises(ConnectionRefusedError):
            answer(own_server.dsn())
        own_server.start()
        assert answer(own_server.dsn(), "SELECT n FROM kept") == 7
    assert "database system was not properly shut down" in own_server.log


@pytest.mark.nightly
def test_a_server_that_cannot_start_says_why(own_server: Server) -> None:
    own_server.stop()
    own_server.append("postgresql.auto.conf", "shared_buffers = 'many'\n")
    with pytest.raises(RuntimeError, match="shared_buffers"):
        own_server.start()


@pytest.mark.nightly
def test_only_members_of_the_password_role_need_a_password(own_server: Server) -> None:
    asyncio.run(execute(own_server.dsn(), f"CREATE ROLE collector LOGIN PASSWORD 'right' IN ROLE {PASSWORD_ROLE}",
                        "CREATE ROLE reader LOGIN"))  # fmt: skip
    assert answer(own_server.dsn(user="collector", password="right"), "SELECT current_user") == "collector"
    assert answer(own_server.dsn(user="reader"), "SELECT current_user") == "reader"
    with pytest.raises(asyncpg.InvalidPasswordError):
        answer(own_server.dsn(user="collector", password="wrong"))


@pytest.mark.nightly
def test_a_standby_follows_and_refuses_writes(home: Home, own_server: Server) -> None:
    standby = home.standby(own_server)
    try:
        asyncio.run(execute(own_server.dsn(), "CREATE TABLE kept (n int)"))
        deadline = time.monotonic() + 10
        while not answer(standby.dsn(), "SELECT to_regclass('kept') IS NOT NULL"):
            assert time.monotonic() < deadline, standby.log
            time.sleep(0.05)
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            asyncio.run(execute(standby.dsn(), "INSERT INTO kept VALUES (1)"))
    finally:
        home.remove(standby)


def test_the_proxy_relays_and_cuts(proxy: Proxy) -> None:
    async def main() -> None:
        for reset in (True, False):
            connection = await asyncpg.connect(proxy.address)
            assert await connection.fetchval("SELECT repeat('x', 1000000)") == "x" * 1_000_000
            assert proxy.open == 1
            proxy.cut(reset=reset)
            with pytest.raises((OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError)):
                await connection.fetchval("SELECT 1")
            assert proxy.open == 0
            connection.terminate()

    asyncio.run(main())
    assert proxy.accepted == 2


def test_the_proxy_refuses_and_accepts_again_at_its_address(proxy: Proxy) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        answer(proxy.address)
    proxy.accept()
    assert answer(proxy.address) == 1


@pytest.mark.nightly
def test_a_silent_proxy_keeps_the_connection_and_later_passes_what_it_kept(proxy: Proxy) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(proxy.address)
        proxy.silence()
        asked = asyncio.ensure_future(connection.fetchval("SELECT 1"))
        await asyncio.wait([asked], timeout=0.3)
        assert not asked.done()
        proxy.resume()
        assert await asked == 1
        await connection.close()

    asyncio.run(main())


def test_work_whose_answer_the_proxy_loses_is_done(proxy: Proxy, dsn: str) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(proxy.address)
        await connection.execute("CREATE TABLE done (n int)")
        proxy.lose_reply_to(b"SELECT 1", b"INSERT INTO done")
        assert await connection.execute("SELECT 1")
        with pytest.raises((OSError, asyncpg.PostgresConnectionError)):
            await connection.execute("INSERT INTO done VALUES (1)")
        connection.terminate()

    asyncio.run(main())
    assert answer(dsn, "SELECT count(*) FROM done") == 1


def test_the_proxy_cuts_within_a_statement(proxy: Proxy, dsn: str) -> None:
    async def main() -> None:
        connection = await asyncpg.connect(proxy.address)
        await connection.execute("CREATE TABLE rows (n int)")
        proxy.cut_after(10_000)
        with pytest.raises((OSError, asyncpg.PostgresConnectionError)):
            await connection.copy_records_to_table("rows", records=[(n,) for n in range(10_000)])
        connection.terminate()

    asyncio.run(main())
    assert answer(dsn, "SELECT count(*) FROM rows") == 0


@pytest.mark.nightly
def test_the_proxy_delays(proxy: Proxy) -> None:
    proxy.delay_s = 0.1
    began = time.monotonic()
    assert answer(proxy.address) == 1
    assert time.monotonic() - began > 0.4


@pytest.mark.nightly
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_session_that_is_killed(end: signal.Signals, tmp_path: Path) -> None:
    script = (
        "import time\n"
        "from jrr_postgres.testing import Home\n"
        "with Home() as home:\n"
        "    server = home.new()\n"
        "    print(server.folder.parent, server.port, flush=True)\n"
        "    time.sleep(60)\n"
    )
    session = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               text=True, start_new_session=True)  # fmt: skip
    with session:
        assert session.stdout is not None
        folder, port = session.stdout.readline().split()
        assert answer(f"postgresql://postgres@127.0.0.1:{port}/postgres") == 1
        # As Ctrl-C does, to the whole process group.
        os.killpg(session.pid, end)
    deadline = time.monotonic() + 20
    while Path(folder).exists():
        assert time.monotonic() < deadline, list(Path(folder).iterdir())
        time.sleep(0.05)
    with pytest.raises(ConnectionRefusedError):
        answer(f"postgresql://postgres@127.0.0.1:{port}/postgres")
