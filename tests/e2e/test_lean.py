"""What a running collector has imported: each library and each heavy part of Python's own costs memory for good.

To let another in, add it here and say in the commit what it costs and what for.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from jrr_postgres.testing import Home

from jrr_core.testing.child import simulated

from .faults.collector import Collector, toml
from .faults.kept import kept

pytestmark = pytest.mark.e2e

LIBRARIES = {
    "asyncpg", "attr", "attrs", "cattrs", "click", "jrr_binance", "jrr_core", "jrr_okx", "jrr_postgres", "msgspec",
    "packaging", "pluggy",
}  # fmt: skip
TRANSPORTS = {"picows", "websockets"}
# python_socks comes with websockets, multidict and aiofastnet with picows, typing_extensions with msgspec on 3.11.
OPTIONAL = {*TRANSPORTS, "python_socks", "typing_extensions", "uvloop", "multidict", "aiofastnet"}
# Of the core only what collects; of Python and of libraries, what others pull in by the way.
UNUSED = {
    "aiohttp", "ctypes.wintypes", "email.mime", "ftplib", "http.server", "hypothesis", "jrr_core.audit",
    "jrr_core.checkup", "jrr_core.cli.demo", "jrr_core.cli.simulate", "jrr_core.export", "jrr_core.observe.metrics",
    "jrr_core.observe.server", "jrr_core.replay", "jrr_core.scaffold", "jrr_core.testing", "jrr_core.top",
    "jrr_core.workers", "jrr_sqlite", "multiprocessing", "numpy", "prometheus_client", "pyarrow", "pytest",
    "rich", "smtplib", "sqlite3", "textual", "unittest", "websockets.asyncio.server", "websockets.legacy",
    "websockets.sync", "xml", "zstandard",
}  # fmt: skip
WANTED = ["binance:trade:BTCUSDT", "binance:book:BTCUSDT", "okx:trade:BTC-USDT", "okx:candle_1m:BTC-USDT"]
TELL = """
import json, signal, sys
signal.signal(signal.SIGUSR2, lambda *_: open({!r}, "w").write(json.dumps(list(sys.modules))))
"""


async def modules_at_work(folder: Path, sink: str, settings: Sequence[str]) -> list[str]:
    """Return what a collector that stores has imported."""
    place, answer = folder / "probe", folder / "modules.json"
    place.mkdir()
    (place / "sitecustomize.py").write_text(TELL.format(str(answer)))
    async with simulated(["binance", "okx"], rate=300) as simulation:
        places = {name: (simulation.ws_urls[name], simulation.rest_urls[name]) for name in simulation.ws_urls}
        (folder / "jrr.toml").write_text(toml(places, WANTED, sink, [*settings, "[metrics]", 'listen = ""']))
        collector = Collector(folder, {"PYTHONPATH": str(place)})
        await collector.start()
        await asyncio.sleep(2)
        collector.signal(signal.SIGUSR2)
        await asyncio.sleep(0.5)
        account = await collector.stop()
    assert account["sinks"][sink]["written"] > 100
    loaded: list[str] = json.loads(answer.read_text())
    return loaded


@pytest.fixture(scope="module")
def loaded(home: Home, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("lean")
    with kept("postgres", folder, home, small=False) as store:
        return asyncio.run(modules_at_work(folder, "postgres", store.settings))


def test_it_works_with_these_libraries_and_no_other(loaded: list[str]) -> None:
    own = sys.stdlib_module_names | {"sitecustomize", "cython_runtime"}
    found = {name.partition(".")[0] for name in loaded}
    assert {name for name in found if name not in own and not name.startswith("_")} - OPTIONAL == LIBRARIES
    assert len(found & TRANSPORTS) == 1


def test_nothing_is_imported_that_it_does_not_use(loaded: list[str]) -> None:
    assert sorted(name for name in UNUSED if name in loaded) == []
