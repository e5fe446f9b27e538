"""`jrr plugins`, `jrr instruments`, `jrr coverage` and `jrr replay`: what they print and how they end."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from jrr_core.cli.coverage import share, timelines, within
from jrr_core.store import Range

Jrr = Callable[..., Result]
SECOND = 10**9
TS = 1_723_161_255_000_000_000


def test_plugins_lists_what_each_offers(folder: Path, jrr: Jrr) -> None:
    result = jrr("plugins")
    assert result.exit_code == 0
    assert "toy  (jrr-toy 1.0)\n  exchanges: toy\n  sinks: shelf\n" in result.stdout
    (offer,) = [p for p in json.loads(jrr("plugins", "--json").stdout)["plugins"] if p["name"] == "toy"]
    assert (offer["distribution"], offer["exchanges"], offer["sinks"]) == ("jrr-toy", ["toy"], ["shelf"])


def test_a_broken_plugin_is_listed_and_fails(folder: Path, install: Callable[..., str], jrr: Jrr) -> None:
    install("bad", "1 / 0")
    result = jrr("plugins")
    assert result.exit_code == 1
    assert "broken: plugin bad (distribution jrr-bad 1.0) cannot be imported" in result.stdout
    assert "toy  (jrr-toy 1.0)" in result.stdout
    assert "jrr-bad" in json.loads(jrr("plugins", "--json").stdout)["broken"][0]


def test_a_trace_shows_hook_calls_of_the_plugins_asked_for(folder: Path, install: Callable[..., str], jrr: Jrr) -> None:
    install("bad", "1 / 0")
    result = jrr("plugins", "--trace", "--plugins", "toy")
    assert result.exit_code == 0
    assert "toy: jrr_connectors() -> [<class" in result.stdout
    assert "toy  (jrr-toy 1.0)\n  exchanges: toy\n" in result.stdout
    assert "bad" not in result.stdout
    both = jrr("plugins", "list", "--trace", "--plugins", "toy,bad", "--json")
    assert both.exit_code == 1
    found = json.loads(both.stdout)
    assert {step["plugin"] for step in found["trace"]} == {"toy", "bad"}
    assert "jrr-bad" in found["broken"][0]


@pytest.mark.parametrize(
    ("arguments", "symbols"),
    [((), ["BTCUSD", "ETHUSD", "OLDUSD"]), (("--active",), ["BTCUSD", "ETHUSD"]), (("btc-*",), ["BTCUSD"])],
)  # fmt: skip
def test_instruments_are_listed(configured: Path, jrr: Jrr, arguments: tuple[str, ...], symbols: list[str]) -> None:
    result = jrr("instruments", "toy", *arguments)
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["symbol", *symbols]
    listed = json.loads(jrr("instruments", "toy", *arguments, "--json").stdout)
    assert [item["symbol"] for item in listed] == symbols
    assert all(item["tick_size"] == "0.010" for item in listed)


def test_a_pattern_that_matches_nothing_fails(configured: Path, jrr: Jrr) -> None:
    result = jrr("instruments", "toy", "nothing")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "no instrument of toy matches 'nothing'\n"
    assert json.loads(jrr("instruments", "toy", "nothing", "--json").stdout) == []


def test_complete_coverage_ends_well(configured: Path, jrr: Jrr) -> None:
    result = jrr("coverage")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == f"toy:trade:BTCUSD  |{'#' * 60}|    100 %"


def test_a_gap_is_drawn_told_and_fails(configured: Path, jrr: Jrr) -> None:
    result = jrr("coverage", "--set", "sinks.shelf.gaps=true")
    assert result.exit_code == 1
    bar, gap = result.stdout.splitlines()[1:]
    assert bar == f"toy:trade:BTCUSD  |{'#' * 30}.{'+' * 29}|  99.99 %"
    assert gap == "gap toy:trade:BTCUSD from 1970-01-01 00:01:00 for 0.000 s, 7 events: buffer full"
    listed = json.loads(jrr("coverage", "--json", "--set", "sinks.shelf.gaps=true").stdout)
    assert [item["state"] for item in listed] == ["complete", "gap", "backfilled"]


def test_a_stream_that_broke_off_is_told_and_fails(configured: Path, jrr: Jrr) -> None:
    result = jrr("coverage", "--set", "sinks.shelf.broken=true")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[4:] == [
        "ended toy:trade:ETHUSD at 1970-01-01 00:00:30, not resumed since: connection cut"
    ]


def test_streams_share_one_scale() -> None:
    lines = timelines(
        [
            Range("x", "trade", "A", 0, 10 * SECOND, "complete"),
            Range("x", "trade", "LONG", 5 * SECOND, 5 * SECOND, "gap"),
            Range("x", "trade", "LONG", 5 * SECOND, 20 * SECOND, "complete"),
        ],
        width=20,
    )
    assert lines[1:] == [
        "x:trade:A     |##########          |    100 %",
        "x:trade:LONG  |     .##############|  99.99 %",
    ]


def test_coverage_of_a_choice_tells_of_that_alone(configured: Path, jrr: Jrr) -> None:
    both = ("--set", "sinks.shelf.gaps=true", "--set", "sinks.shelf.broken=true")
    other = jrr("coverage", *both, "--symbol", "OLDUSD", "--exchange", "toy")
    assert (other.exit_code, len(other.stdout.splitlines())) == (0, 2)
    early = jrr("coverage", *both, "--symbol", "BTCUSD", "--to", str(60 * SECOND))
    assert (early.exit_code, early.stdout.splitlines()[1][-5:]) == (0, "100 %")
    assert jrr("coverage", *both, "--symbol", "ETHUSD", "--from", str(40 * SECOND)).stdout == (
        "the store has no coverage of this choice yet: nothing was collected into it\n"
    )
    assert jrr("coverage", *both, "--symbol", "ETHUSD", "--to", str(20 * SECOND)).exit_code == 0
    wrong = jrr("coverage", *both, "--symbol", "BTCUS")
    assert (wrong.exit_code, "did you mean BTCUSD?" in wrong.stderr) == (2, True)


def test_a_part_of_a_gap_misses_nobody_knows_what() -> None:
    gap = Range("x", "trade", "A", 0, 10 * SECOND, "gap", "crash", 7)
    whole = Range("x", "trade", "A", 10 * SECOND, 20 * SECOND, "complete")
    assert within([gap, whole], 5 * SECOND, 30 * SECOND) == [
        Range("x", "trade", "A", 5 * SECOND, 10 * SECOND, "gap", "crash", None),
        whole,
    ]
    assert within([gap, whole], None, 10 * SECOND) == [gap]
    assert share(within([gap, whole], 9 * SECOND, None)) == "90.90 %"


def test_replay_tells_the_account_and_the_damage(configured: Path, jrr: Jrr) -> None:
    rows = [f'{TS + n} {{"s": "BTCUSD", "id": {n}}}' for n in range(3)]
    (configured / "lines.txt").write_text("\n".join([*rows, "nonsense", f"{TS} garbage"]))
    result = jrr("replay", "lines.txt", "--exchange", "toy")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "capture: 4 frames = 3 parsed + 0 control + 1 rejected",
        "  lines.txt line 4: neither a capture entry nor `<receive ns> <JSON>`",
        "  not understood: parse_message raised JSONDecodeError('Expecting value: line 1 column 1 (char 0)')",
        "toy: trade 3",
        "shelf: 5 events = 5 written + 0 duplicate + 0 dropped",
        "lost or failed:",
        "  1 damaged lines or missing parts",
        "  1 frames not understood, kept in quarantine",
    ]


def test_replay_finds_the_exchange_outside_the_named_plugins(
    configured: Path, install: Callable[..., str], jrr: Jrr
) -> None:
    install(
        "other",
        "from jrr_core.base_connector import BaseWebSocketConnector\nfrom jrr_core.hookspecs import hookimpl\n"
        "class Other(BaseWebSocketConnector):\n    exchange = 'other'\n    def parse_message(self, raw): return None\n"
        "@hookimpl\ndef jrr_connectors(): return [Other]\n",
    )
    (configured / "lines.txt").write_text(f"{TS} {{}}\n")
    result = jrr("replay", "lines.txt", "--exchange", "other", "--plugins", "toy")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (
        0,
        "capture: 1 frames = 0 parsed + 1 control + 0 rejected",
    )


def test_frames_of_other_exchanges_and_gaps_are_told(configured: Path, jrr: Jrr) -> None:
    entries = [
        {"ts": TS, "exchange": exchange, "session": "s", "payload": '{"s": "BTCUSD", "id": 1}'}
        for exchange in ("toy", "other")
    ]
    damaged = ["x"] * 7
    (configured / "caps").write_text("\n".join([*map(json.dumps, entries), *damaged]))
    result = jrr("replay", "caps", "--exchange", "toy")
    assert result.exit_code == 1
    assert "  1 frames of other exchanges left out" in result.stdout
    assert "  and 2 more damages" in result.stdout
    assert "exchange 'other'" in jrr("replay", "caps").stderr


def test_coverage_of_several_stores_asks_which_one(folder: Path, install: Callable[..., str], jrr: Jrr) -> None:
    (plugin,) = [file for file in (folder.parent / "site").glob("*.py") if "class Shelf" in file.read_text()]
    code = plugin.read_text().replace("return [Shelf]", "return [Shelf, Twin]").replace("return [Toy]", "return []")
    install("stores", f"{code}\nclass Twin(Shelf):\n    name = 'twin'\n")
    result = jrr("coverage", "--plugins", "stores")
    assert result.exit_code == 2
    assert "several stores could be meant (shelf, twin); name one with --plugins" in result.stderr
