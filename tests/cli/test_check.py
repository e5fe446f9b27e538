"""`jrr check` tries everything a run needs and tells the cure of what does not work."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Jrr = Callable[..., Result]


def findings(result: Result) -> dict[str, dict[str, str]]:
    return {finding["what"]: finding for finding in json.loads(result.stdout)}


def test_all_is_well(configured: Path, server: Any, jrr: Jrr) -> None:
    result = jrr("check", "--subscribe", "toy:trade:*USD", "--set", "capture.path=caps", "--json")
    found = findings(result)
    assert result.exit_code == 0, result.output
    assert {finding["state"] for finding in found.values()} == {"ok"}
    assert list(found) == [
        "settings", "plugins", "capture", "spool", "libraries", "toy REST", "toy clock", "toy subscriptions",
        "toy WebSocket", "toy data", "open files", "store shelf",
    ]  # fmt: skip
    assert found["toy REST"]["text"].startswith("3 instruments")
    assert found["toy subscriptions"]["text"] == "2 streams on 1 connections"
    assert not (configured / "caps").exists()


def test_without_subscriptions_every_exchange_is_tried(configured: Path, jrr: Jrr) -> None:
    result = jrr("check")
    assert result.exit_code == 0
    assert "warning  settings       nothing is subscribed\n" in result.stdout
    assert "cure: add [[subscribe]] tables" in result.stdout
    assert "ok       toy WebSocket  127.0.0.1" in result.stdout
    assert result.stdout.endswith("0 errors, 1 warnings\n")


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_table_fits_the_terminal(configured: Path, jrr: Jrr, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    result = jrr("check", "--set", "exchanges.toy.ws_url=ws://127.0.0.1:9", "--subscribe", "toy:trade:BTCUSD")
    assert max(map(len, result.stdout.splitlines())) <= columns


def test_subscriptions_are_tried_for_real(configured: Path, jrr: Jrr) -> None:
    result = jrr("check", "--json", "--subscribe", "toy:trade:BTCUSD", "--subscribe", "toy:trade:OLDUSD")
    found = findings(result)["toy data"]
    assert (found["state"], found["text"]) == ("ok", "came on all 1 streams that were tried"), result.output


@pytest.mark.parametrize("ahead_s", [-3600, 3600])
def test_a_wrong_clock_is_a_warning(configured: Path, server: Any, jrr: Jrr, ahead_s: int) -> None:
    server.ahead_s = ahead_s
    result = jrr("check", "--json")
    clock = findings(result)["toy clock"]
    assert (result.exit_code, clock["state"]) == (0, "warning")
    word = "behind" if ahead_s > 0 else "ahead of"
    assert f"s {word} 127.0.0.1" in clock["text"]
    assert int(clock["text"].split()[3]) in range(3595, 3602)
    assert "NTP" in clock["cure"]


@pytest.mark.parametrize(
    ("settings", "what", "text"),
    [
        (("exchanges.toy.rest_url=http://127.0.0.1:9",), "toy REST", "cannot reach 127.0.0.1:9: connection refused"),
        (("exchanges.toy.ws_url=ws://127.0.0.1:9",), "toy WebSocket", "cannot reach 127.0.0.1:9"),
        (
            ("exchanges.toy.ws_url=ws://127.0.0.1:9", "exchanges.toy.rest_url="),
            "toy WebSocket",
            "cannot reach 127.0.0.1:9: connection refused",
        ),
        (("sinks.shelf.path=/nowhere/x",), "store shelf", "sinks.shelf.path"),
        (("capture.path=/proc/nowhere",), "capture", "/proc/nowhere cannot be written"),
        (("spool.path=/proc/nowhere",), "spool", "/proc/nowhere cannot be written"),
    ],
)
def test_what_does_not_work_has_a_cure(
    configured: Path, jrr: Jrr, settings: tuple[str, ...], what: str, text: str
) -> None:
    result = jrr("check", "--json", *[part for setting in settings for part in ("--set", setting)])
    finding = findings(result)[what]
    assert (result.exit_code, finding["state"]) == (1, "error")
    assert text in finding["text"]
    assert finding["cure"]


def test_a_subscription_that_cannot_be_served_is_an_error(configured: Path, jrr: Jrr) -> None:
    result = jrr("check", "--json", "--subscribe", "toy:quote:BTCUSD")
    assert result.exit_code == 1
    assert "has no channel 'quote'" in findings(result)["toy subscriptions"]["text"]


def test_a_broken_plugin_is_an_error(folder: Path, install: Callable[..., str], jrr: Jrr) -> None:
    install("bad", "1 / 0")
    (folder / "jrr.toml").write_text("")
    unreachable = [f"exchanges.toy.{key}={scheme}://127.0.0.1:9" for key, scheme in (("ws_url", "ws"),)]
    result = jrr("check", "--json", "--set", unreachable[0], "--subscribe", "toy:trade:A")
    broken = [finding for finding in json.loads(result.stdout) if "jrr-bad" in finding["text"]]
    assert (result.exit_code, [finding["state"] for finding in broken]) == (1, ["error"])


def test_no_secret_is_shown(configured: Path, jrr: Jrr) -> None:
    for arguments in (("check",), ("check", "--json"), ("check", "--set", "sinks.shelf.path=/nowhere/x")):
        assert "hunter2" not in jrr(*arguments, "--set", "sinks.shelf.password=hunter2").output


def test_an_answer_that_is_no_list_of_instruments_is_an_error(configured: Path, server: Any, jrr: Jrr) -> None:
    server.listed = "[1]"
    result = jrr("check", "--json")
    assert result.exit_code == 1
    assert "no list of instruments" in findings(result)["toy REST"]["text"]


def test_a_pattern_that_cannot_be_resolved_is_a_warning(configured: Path, jrr: Jrr) -> None:
    unreachable = "exchanges.toy.rest_url=http://127.0.0.1:9"
    result = jrr("check", "--json", "--subscribe", "toy:trade:*", "--set", unreachable)
    finding = findings(result)["toy subscriptions"]
    assert (result.exit_code, finding["state"]) == (1, "warning")
    assert "toy:trade:* cannot be resolved" in finding["text"]


def test_a_store_that_breaks_its_contract_is_an_error(configured: Path, jrr: Jrr) -> None:
    result = jrr("check", "--json", "--set", "sinks.shelf.path=odd\0name")
    assert (result.exit_code, findings(result)["store shelf"]["state"]) == (1, "error")
    assert "ValueError" in findings(result)["store shelf"]["text"]


def test_no_plugins_at_all_is_an_error(configured: Path, jrr: Jrr) -> None:
    (configured / "jrr.toml").write_text("plugins = []")
    result = jrr("check", "--json")
    assert findings(result)["plugins"]["cure"].startswith("install some")
    assert result.exit_code == 1
