"""The server cannot store more: batches wait until it can again."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jrr_postgres.testing import Server, execute, fetch

from jrr_core.events import Trade

T0 = 1_700_000_000 * 10**9
ONE = Decimal(1)


def trades(start: int, count: int) -> list[Trade]:
    return [
        Trade("sim", "BTCUSDT", T0 + n, T0 + n, ONE, ONE, "buy", str(n), 1, "x" * 50)
        for n in range(start, start + count)
    ]  # fmt: skip


@contextlib.contextmanager
def small_disk(server: Server) -> Iterator[Path]:
    """A file system of 24 MB that belongs to the server's account; skips where none may be mounted."""
    folder = server.folder.with_name(f"{server.folder.name}-disk")
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True,
                          text=True, check=False)  # fmt: skip
    if done.returncode:
        folder.rmdir()
        pytest.skip(f"mounting a small file system is not allowed here: {done.stderr.strip()}")
    try:
        owner = server.folder.stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
        yield folder
    finally:
        server.stop("immediate")
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


async def away(into: Any) -> None:
    """Return once the store is noticed to be away."""
    async with asyncio.timeout(30):
        while into.drain.state != "away":  # noqa: ASYNC110 - the drain tells nobody
            await asyncio.sleep(0.01)


async def count(dsn: str) -> int:
    ((stored,),) = await fetch(dsn, "SELECT count(*) FROM jrr.trades")
    return int(stored)


def test_a_full_disk_is_waited_for(
    own_server: Server, collector: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main(disk: Path) -> None:
        dsn = own_server.dsn("market")
        await execute(own_server.dsn(), f"CREATE TABLESPACE small LOCATION '{disk}'",
                      "CREATE DATABASE market TABLESPACE small")  # fmt: skip
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(int(shutil.disk_usage(disk).free * 0.8)))
        async with collector(dsn) as into:
            into.put(*trades(0, 100_000))
            await away(into)
            await asyncio.sleep(1.0)
            assert into.drain.pending > 0
            ballast.unlink()
            into.put(*trades(100_000, 100))
            await into.settled()
            assert (into.counters.written, into.counters.duplicate, into.counters.dropped) == (100_100, 0, 0)
            assert into.balanced
        assert await count(dsn) == 100_100

    with small_disk(own_server) as disk:
        asyncio.run(main(disk))
    assert "No space left on device" in caplog.text


@pytest.mark.parametrize(
    "condition",
    ["disk_full", "out_of_memory", "configuration_limit_exceeded", "io_error", "internal_error", "lock_not_available",
     "serialization_failure", "deadlock_detected", "insufficient_privilege",
     "object_not_in_prerequisite_state", "statement_completion_unknown", "admin_shutdown", "crash_shutdown"],
)  # fmt: skip
def test_what_the_server_cannot_do_now_is_waited_for(
    condition: str, dsn: str, collector: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Told by a trigger in the server's own codes; a full disk is one of them, where none can be filled for real."""
    trigger = (
        "CREATE FUNCTION cannot() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE 'it cannot' USING ERRCODE = '{condition}'; END $$",
        "CREATE TRIGGER cannot BEFORE INSERT ON jrr.stored_trades EXECUTE FUNCTION cannot()",
    )

    async def main() -> None:
        async with collector(dsn) as into:
            into.put(*trades(0, 10))
            await into.settled()
            await execute(dsn, *trigger)
            into.put(*trades(5, 10))
            await away(into)
            await execute(dsn, "DROP TRIGGER cannot ON jrr.stored_trades")
            await into.settled()
            assert (into.counters.written, into.counters.duplicate, into.counters.quarantined) == (15, 5, 0)
        assert await count(dsn) == 15

    asyncio.run(main())
    assert "it cannot" in caplog.text
