"""`jrr ctl` on a `jrr run` in a process of its own: what is collected changes, and nothing that was not named."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Jrr = Callable[..., Result]
SUBSCRIBE = '\n[[subscribe]]\nexchange = "toy"\nchannels = ["trade"]\nsymbols = ["{}"]\n'


def until(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not fact():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.005)


class Collector:
    """A `jrr run` and its log, line by line as it comes."""

    def __init__(self, site: Path, *arguments: str, **environ: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from jrr_core.cli import main; main()", "run", "--log-format", "json", *arguments],
            env={**os.environ, "PYTHONPATH": str(site), **environ}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def said(self, event: str) -> dict[str, Any]:
        """Return the next line of that event."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            record: dict[str, Any] = json.loads(line)
            if record["event"] == event:
                return record
        raise AssertionError(f"the collector ended without saying {event}")

    def end(self) -> int:
        assert self.process.stderr is not None
        self.process.stderr.read()
        return self.process.wait(10)


@pytest.fixture
def collector(configured: Path, site: Path) -> Iterator[Collector]:
    """A collector of BTCUSD that has connected."""
    with (configured / "jrr.toml").open("a") as file:
        file.write(SUBSCRIBE.format("BTCUSD"))
    running = Collector(site)
    running.said("connected")
    until((configured / ".jrr" / "control.sock").exists)
    yield running
    running.process.kill()
    running.process.communicate()


def test_streams_come_and_go_on_the_connection_there_is(
    collector: Collector, configured: Path, server: Any, jrr: Jrr
) -> None:
    result = jrr("ctl", "subscribe", "toy:trade:ETH-USD")
    assert result.output == (
        "toy:trade:ETH-USD: 1 streams (not in the settings)\n1 streams new\n"
        "this lasts as long as the run: to keep it, add it to jrr.toml\n"
    )
    until(lambda: server.subscribed == [["trade:BTCUSD"], ["trade:ETHUSD"]])
    assert "1 streams new" not in jrr("ctl", "subscribe", "toy:trade:*USD").output
    assert jrr("ctl", "unsubscribe", "toy:trade:*USD").output == "2 streams ended\n"
    assert jrr("ctl", "list").output == "nothing is subscribed\n"
    assert jrr("ctl", "subscribe", "toy:trade:*").exit_code == 0
    (listed,) = json.loads(jrr("ctl", "list", "--json").output)
    assert listed == {"wish": "toy:trade:*", "waiting": False, "kept": False,
                      "streams": ["toy:trade:BTCUSD", "toy:trade:ETHUSD"]}  # fmt: skip
    assert json.loads(jrr("ctl", "status", "--json").output)["stats"]["exchanges"]["toy"]["reconnects"] == 0


def test_what_is_refused_reads_as_anywhere_and_changes_nothing_and_settings_are_read_again(
    collector: Collector, configured: Path, jrr: Jrr
) -> None:
    for spec, words in (
        ("toy:trade:ETHUSDT", "toy has no symbol 'ETHUSDT'; did you mean ETHUSD"),
        ("toy:book:ETHUSD", "toy has no channel 'book'; it has trade"),
        ("tay:trade:ETHUSD", "there is no exchange 'tay' among those loaded (toy)"),
        ("toy", "is not of the form exchange:channel:symbol"),
        ("toy:trade:\x1b[31mX", "has no symbol '\\x1b[31mX'"),
    ):
        result = jrr("ctl", "subscribe", "toy:trade:ETHUSD", spec)
        assert result.exit_code == 2
        assert result.stderr.startswith("error: ")
        assert words in result.stderr
    assert jrr("ctl", "list").output == "toy:trade:BTCUSD: 1 streams\n"
    assert "error: toy:trade:ETHUSD is not subscribed" in jrr("ctl", "unsubscribe", "toy:trade:ETHUSD").stderr

    file = configured / "jrr.toml"
    before = file.read_text()
    assert jrr("ctl", "reload").output == "nothing differs\n"
    jrr("ctl", "subscribe", "toy:trade:OLDUSD")
    file.write_text(before.replace("BTCUSD", "*USD").replace('"shelf.jsonl"', '"secret"') + '[log]\nlevel = "debug"\n')
    assert jrr("ctl", "reload").output == (
        "subscribed toy:trade:*USD\nunsubscribed toy:trade:BTCUSD\nneeds a restart: sinks.shelf.path\n"
    )
    done = collector.said("reloaded")
    while done["subscribed"] == []:
        done = collector.said("reloaded")
    assert done["restart"] == ["sinks.shelf.path"]
    assert "secret" not in json.dumps(done)
    listed = "toy:trade:OLDUSD: 1 streams (not in the settings)\ntoy:trade:*USD: 2 streams\n"
    assert jrr("ctl", "list").output == listed
    for broken, words in (
        (before + "[[", "not valid TOML"),
        (before + "[sinks.shelf2]", "no loaded plugin offers the sink 'shelf2'"),
        (before + SUBSCRIBE.format("NO"), "no symbol 'NO'"),
    ):
        file.write_text(broken)
        collector.process.send_signal(signal.SIGHUP)
        assert words in collector.said("reload_failed")["text"]
        result = jrr("ctl", "reload")
        assert (result.exit_code, words in result.stderr) == (2, True)
    assert jrr("ctl", "list").output == listed
    file.write_text(before)
    collector.process.send_signal(signal.SIGHUP)
    assert collector.said("reloaded")["unsubscribed"] == ["toy:trade:*USD"]
    assert jrr("ctl", "list").output == (
        "toy:trade:OLDUSD: 1 streams (not in the settings)\ntoy:trade:BTCUSD: 1 streams\n"
    )


def test_the_run_is_shown_and_stopped_in_order(collector: Collector, configured: Path, jrr: Jrr) -> None:
    shown = jrr("ctl", "status").output
    assert f"process {collector.process.pid} has run for" in shown
    assert "1 connections, 1 streams, 0 gaps" in shown
    assert json.loads(jrr("ctl", "status", "--json").output)["stats"]["exchanges"]["toy"]["connections"] == 1
    assert jrr("ctl", "stop").output == "the collector is stopping\n"
    assert collector.end() == 0
    assert not (configured / ".jrr" / "control.sock").exists()
    result = jrr("ctl", "stop")
    assert result.exit_code == 1
    assert "error: no collector answers at .jrr/control.sock: start one here with `jrr run`" in result.stderr


def test_a_collector_is_found_by_its_name_its_socket_or_its_settings_and_tells_systemd(
    configured: Path, site: Path, jrr: Jrr
) -> None:
    systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    systemd.bind("notify")
    systemd.settimeout(10)
    environ = {"NOTIFY_SOCKET": os.path.abspath("notify"), "WATCHDOG_USEC": "200000"}
    running = Collector(site, "--subscribe", "toy:trade:BTCUSD", "--instance", "second", **environ)
    try:
        assert systemd.recv(1000).startswith(b"READY=1\nSTATUS=1 streams, 0 gaps; shelf ok")
        assert systemd.recv(1000).startswith(b"WATCHDOG=1\nSTATUS=1 streams")
        assert running.said("connected")["instance"] == "second"
        where = ".jrr/control-second.sock"
        until(Path(where).exists)
        assert jrr("ctl", "list").exit_code == 1
        for way in (("--instance", "second"), ("--socket", where), ("--set", "run.instance=second")):
            assert jrr("ctl", "list", *way).output == "toy:trade:BTCUSD: 1 streams\n"
        jrr("ctl", "reload", "--instance", "second")
        jrr("ctl", "stop", "--instance", "second")
        told: list[str] = []
        while not told or not told[-1].startswith("STOPPING=1"):
            told.append(systemd.recv(1000).decode())
        assert [text.partition("\n")[0] for text in told if "WATCHDOG" not in text] == [
            "RELOADING=1", "READY=1", "STOPPING=1",
        ]  # fmt: skip
    finally:
        systemd.close()
        running.process.kill()
        running.process.communicate()


def test_a_collector_that_takes_no_commands_is_not_looked_for(configured: Path, jrr: Jrr) -> None:
    result = jrr("ctl", "list", "--set", "control.path=")
    assert (result.exit_code, "control.path is empty" in result.stderr) == (2, True)


def test_a_hangup_before_anything_runs_is_taken_for_later(
    configured: Path, jrr: Jrr, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jrr_core.cli import run
    from jrr_core.plugins import Plugins

    def hung_up(config: Any) -> Plugins:
        signal.raise_signal(signal.SIGHUP)
        return Plugins.load(config.plugins)

    monkeypatch.setattr(run, "load_plugins", hung_up)
    result = jrr("run", "--subscribe", "toy:trade:BTCUSD", "--for", "0.3s", "--log-format", "json")
    assert result.exit_code == 0
    assert [json.loads(line)["event"] for line in result.stderr.splitlines()].count("reloaded") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("loop", "transport"), [("asyncio", "websockets"), ("uvloop", "picows")])
def test_signals_reload_and_stop_on_every_loop(
    configured: Path, server: Any, site: Path, loop: str, transport: str, number: signal.Signals
) -> None:
    with (configured / "jrr.toml").open("a") as file:
        file.write(SUBSCRIBE.format("BTCUSD"))
    running = Collector(site, "--set", f"run.loop={loop}", "--set", f"network.transport={transport}")
    begun = running.said("starting")
    assert (begun["loop"], begun["transport"]) == (loop, transport)
    running.said("connected")
    running.process.send_signal(signal.SIGHUP)
    assert running.said("reloaded")["subscribed"] == []
    running.process.send_signal(number)
    assert running.said("account")["failings"] == []
    assert running.end() == 0
    running.process.communicate()
