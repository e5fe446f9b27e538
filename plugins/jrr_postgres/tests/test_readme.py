"""What the plugin's page shows runs: its SQL, its Python, its roles; the settings it names are settings."""

import asyncio
import re
import textwrap
import tomllib
from pathlib import Path

import asyncpg
import attrs
import pytest
from jrr_postgres import StorageConfig
from jrr_postgres.queries import Queries
from jrr_postgres.testing import Server, execute, opened

from jrr_core.testing.samples import trade

PAGE = (Path(__file__).resolve().parents[1] / "README.md").read_text("utf-8")
ROLES, GRANTS, *QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
(READING,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(RETENTION,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
SETTINGS = dict(re.findall(r"^\| `(\w+)` \| (?:`?([\w.]+)`?)? ?\|", PAGE, re.MULTILINE))


def _as(server: Server, user: str) -> str:
    return server.dsn("jrr_marketdata", user=user)


async def _collect(dsn: str) -> None:
    async with opened(dsn) as sink:
        await sink.write([trade(n, exchange="binance", symbol="BTCUSDT") for n in range(20)])


def test_the_roles_of_the_page_write_and_read(own_server: Server) -> None:
    async def run() -> None:
        await execute(own_server.dsn(), *[line for line in ROLES.split(";") if line.strip()])
        await _collect(_as(own_server, "collector"))
        await execute(_as(own_server, "collector"), GRANTS)
        async with Queries(StorageConfig(dsn=_as(own_server, "researcher"))) as store:
            assert sum((await store.counts()).values()) == 20
        await execute(_as(own_server, "researcher"), *QUERIES)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await execute(_as(own_server, "researcher"), "DELETE FROM jrr.streams")

    asyncio.run(run())


def test_the_python_of_the_page_runs(dsn: str) -> None:
    code = READING.replace("StorageConfig()", "StorageConfig(dsn=dsn)").replace("print(", "found.append(")
    code = code.replace("found.append(trade.ts_event, trade.price, trade.amount)", "found.append(trade)")
    program = (
        "async def main(dsn, ts_from, ts_to):\n    found = []\n" + textwrap.indent(code, "    ") + "    return found\n"
    )
    scope: dict[str, object] = {}
    exec(program, scope)

    async def run() -> None:
        await _collect(dsn)
        assert len(await scope["main"](dsn, None, 2**62)) == 20  # type: ignore[operator]  # made by exec

    asyncio.run(run())


def test_the_settings_of_the_page_are_settings_with_their_defaults() -> None:
    defaults = {field.name: field.default for field in attrs.fields(StorageConfig)}
    assert len(SETTINGS) >= 10
    for name, default in SETTINGS.items():
        assert default in ("", str(defaults[name]), str(defaults[name]).lower()), name
    assert StorageConfig(**tomllib.loads(RETENTION)["sinks"]["postgres"]).retention_days == {
        "book_deltas": 90, "quotes": 30,
    }  # fmt: skip
