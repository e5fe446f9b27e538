"""The commands of docs/control.md, typed at a collector of a simulated exchange."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from jrr_core.cli import main
from jrr_core.testing.child import simulated
from tests.docs.examples import ROOT, blocks_of
from tests.toy import until

pytestmark = pytest.mark.e2e

PAGE = ROOT / "docs" / "control.md"
JRR = [sys.executable, "-c", "from jrr_core.cli import main; main()"]


def typed(command: str) -> str:
    """Return what a command says; it must end well."""
    result = CliRunner().invoke(main, command.split()[1:])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_commands_of_the_page_do_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def collect() -> None:
        async with simulated(["binance-usdm"], rate=200) as simulation:
            (tmp_path / "jrr.toml").write_text(f"""
                plugins = ["binance", "sqlite"]
                subscribe = ["binance-usdm:trade:BTCUSDT"]
                [exchanges.binance-usdm]
                ws_url = "{simulation.ws_urls["binance-usdm"]}"
                rest_url = "{simulation.rest_urls["binance-usdm"]}"
            """)
            run = await asyncio.create_subprocess_exec(*JRR, "run", stderr=subprocess.PIPE, stdout=subprocess.PIPE)
            await until((tmp_path / ".jrr" / "control.sock").exists)
            (block,) = [block for block in blocks_of(PAGE) if block.words == "tests/e2e/test_control.py"]
            said = {}
            for command in block.code.splitlines():
                said[command.split()[2]] = await asyncio.to_thread(typed, command)
            output, log = await run.communicate()
            assert run.returncode == 0
            assert b"nothing was lost" in output
            assert b"reconnecting" not in log
        assert "streams new\nthis lasts as long as the run" in said["subscribe"]
        assert "binance-usdm:trade:*USDT: " in said["list"]
        assert said["unsubscribe"] == "1 streams ended\n"
        assert "1 connections" in said["status"]
        assert said["reload"] == "nothing differs\n"

    asyncio.run(collect())
