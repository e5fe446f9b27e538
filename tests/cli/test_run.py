"""`jrr run` over a real socket: collects, accounts, and ends with the code that says how it went."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import Result

from jrr_core.capture import read_capture
from jrr_core.tape import Received

Jrr = Callable[..., Result]


def test_what_was_sent_is_stored_and_accounted_for(configured: Path, server: Any, jrr: Jrr) -> None:
    result = jrr("run", "--subscribe", "toy:trade:BTC-USD", "--for", "0.6s")
    assert result.exit_code == 0, result.output
    assert server.subscribed == [["trade:BTCUSD"]]
    stored = (configured / "shelf.jsonl").read_text().splitlines()
    assert [line for line in stored if line.startswith("trade")] == [f"trade BTCUSD {n}" for n in range(20)]
    assert "toy: 20 frames = 20 parsed + 0 control + 0 rejected; 1 connections" in result.stdout
    assert "trade 20" in result.stdout
    assert "22 events = 22 written" in result.stdout
    assert result.stdout.splitlines()[-1] == "nothing was lost"


def test_subscriptions_come_from_the_file_too(configured: Path, server: Any, jrr: Jrr) -> None:
    with (configured / "jrr.toml").open("a") as file:
        file.write('\n[[subscribe]]\nexchange = "toy"\nchannels = ["trade"]\nsymbols = ["*USD"]\n')
    assert jrr("run", "--for", "0.4s").exit_code == 0
    assert server.subscribed == [["trade:BTCUSD", "trade:ETHUSD"]]


def test_frames_not_understood_fail_the_run(configured: Path, server: Any, jrr: Jrr) -> None:
    server.rows.append("garbage")
    result = jrr("run", "--subscribe", "toy:trade:BTCUSD", "--for", "0.4s")
    assert result.exit_code == 1
    assert "toy: 1 frames not understood, kept in quarantine" in result.stdout
    assert len(list((configured / ".jrr" / "quarantine").iterdir())) == 1


def test_an_exchange_that_cannot_be_reached_fails_the_run(configured: Path, jrr: Jrr) -> None:
    result = jrr(
        "run", "--subscribe", "toy:trade:BTCUSD", "--for", "0.3s", "--set", "exchanges.toy.ws_url=ws://127.0.0.1:9"
    )
    assert result.exit_code == 1
    assert "toy: never connected" in result.stdout
    assert "cannot reach 127.0.0.1:9: connection refused" in result.stderr


def test_a_symbol_that_does_not_exist_is_told(configured: Path, jrr: Jrr) -> None:
    result = jrr("run", "--subscribe", "toy:trade:BTCUSDD")
    assert result.exit_code == 2
    assert "did you mean BTCUSD" in result.stderr


def test_a_store_that_cannot_be_opened_is_told(configured: Path, jrr: Jrr) -> None:
    result = jrr("run", "--subscribe", "toy:trade:BTCUSD", "--set", "sinks.shelf.path=/nowhere/x")
    assert result.exit_code == 2
    assert "sinks.shelf.path" in result.stderr


def test_json_logs_end_with_the_account(configured: Path, jrr: Jrr) -> None:
    result = jrr("run", "--subscribe", "toy:trade:BTCUSD", "--for", "0.4s", "--log-format", "json")
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert {"ts", "level", "event", "text"} <= set(lines[0])
    assert lines[-1]["event"] == "account"
    assert lines[-1]["failings"] == []
    assert lines[-1]["sinks"]["shelf"]["written"] == 22
    assert result.stdout == ""


def test_a_captured_run_replays_into_the_same_events(configured: Path, jrr: Jrr) -> None:
    assert jrr("run", "--subscribe", "toy:trade:BTCUSD", "--for", "0.4s", "--set", "capture.path=caps").exit_code == 0
    (file,) = (configured / "caps").iterdir()
    frames = [item for item in read_capture(file) if isinstance(item, Received) and item.session]
    assert len(frames) == 20
    result = jrr("replay", str(file), "--set", "sinks.shelf.path=again.jsonl")
    assert result.exit_code == 0, result.output
    stored = (configured / "shelf.jsonl").read_text(), (configured / "again.jsonl").read_text()
    live, again = ([line for line in text.splitlines() if line.startswith("trade")] for text in stored)
    assert live == again


def test_a_terminal_gets_the_live_line_and_a_pipe_does_not(configured: Path, site: Path) -> None:
    command = [
        sys.executable, "-c", "from jrr_core.cli import main; main(prog_name='jrr')",
        "run", "--subscribe", "toy:trade:BTCUSD", "--for", "0.6s",
    ]  # fmt: skip
    environ = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "120"}
    seen = {}
    for arguments in ([], ["--no-progress"]):
        ours, theirs = pty.openpty()
        done = subprocess.run(
            [*command, *arguments], env=environ, stdout=subprocess.PIPE, stderr=theirs, text=True, timeout=20
        )
        os.close(theirs)
        seen[bool(arguments)] = os.read(ours, 100_000).decode()
        os.close(ours)
        assert done.returncode == 0
        assert "events/s" not in done.stdout
    assert "gaps 0  shelf ok (21 stored)" in seen[False]
    assert "events/s" not in seen[True]
