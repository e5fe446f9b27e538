"""The live line and the account in words."""

import io
from typing import Any

import pytest

from jrr_core.cli.live import LiveLine, Rate, run_line
from jrr_core.cli.summary import gaps_line, run_summary

SINK = {"state": "ok", "published": 5, "written": 3, "duplicate": 1, "dropped": 0, "quarantined": 1, "spooled": 0,
        "pending": 0, "latency_p50_s": 0.05, "latency_p99_s": 0.25}  # fmt: skip
STATS: dict[str, Any] = {
    "uptime_s": 2.0, "lag_s": 0.5, "gaps": 1,
    "exchanges": {"x": {"frames": 9, "parsed": 7, "control": 1, "rejected": 1, "connections": 2, "reconnects": 1,
                        "gaps": 1, "missing": 0, "backfilled": 0, "events": {"trade": 6, "book": 1},
                        "trouble": "cannot reach h",
                        "streams": [{"channel": "trade", "symbol": "B", "trouble": "never received"},
                                    {"channel": "trade", "symbol": "A", "trouble": None}]}},
    "sinks": {"s": SINK, "t": {**SINK, "state": "away", "pending": 40, "spooled": 2000, "latency_p50_s": None}},
    "subscribers": {"f": {"delivered": 3, "failed": 0}},
}  # fmt: skip


def test_the_live_line_tells_rate_lag_gaps_sinks_and_trouble() -> None:
    rate = Rate()
    rate.per_s(1.0, 2)
    assert run_line(STATS, rate) == (
        "2 s  5 events/s  lag 0.50 s  gaps 1  s ok (3 stored)  "
        "t away (3 stored, 40 waiting, 2,000 in the spool)  x: cannot reach h"
    )


def test_the_rate_looks_back_a_few_seconds_only() -> None:
    rate = Rate(window_s=3.0)
    assert rate.per_s(0.0, 0) == 0.0
    for second in range(1, 11):
        found = rate.per_s(float(second), 1_000 + second * 10)
    assert found == pytest.approx(10.0)


def test_log_lines_do_not_tear_the_live_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    terminal = io.StringIO()
    live = LiveLine(terminal)
    live.show("0123456789abc")
    live.write("a log line\n")
    live.clear()
    clear = "\r\x1b[K"
    assert terminal.getvalue() == f"{clear}012345678{clear}a log line\n012345678{clear}"


def test_the_account_in_words() -> None:
    assert run_summary(STATS, ["x: 1 gaps"]) == [
        "ran for 2.0 s",
        "x: 9 frames = 7 parsed + 1 control + 1 rejected; 2 connections, 1 lost, 1 gaps",
        "  book 1, trade 6",
        "  trade:B: never received",
        "s: 5 events = 3 written + 1 duplicate + 0 dropped + 1 quarantined; stored after 50 ms (p50), 250 ms (p99)",
        "t: 5 events = 3 written + 1 duplicate + 0 dropped + 1 quarantined + 2,000 spooled + 40 pending",
        "f: 3 delivered, 0 failed",
        "lost or failed:",
        "  x: 1 gaps",
    ]
    assert run_summary(STATS, [])[-1] == "nothing was lost"


def test_the_account_names_the_first_silent_streams_and_counts_the_rest() -> None:
    silent = [{"channel": "trade", "symbol": str(number), "trouble": "never received"} for number in range(1020)]
    stats = {**STATS, "exchanges": {"x": {**STATS["exchanges"]["x"], "streams": silent}}}
    lines = run_summary(stats, [])
    assert sum(line.endswith(": never received") for line in lines) == 20
    assert "  1,000 more streams like these; the log names them" in lines


def test_what_was_found_again_is_told_beside_the_gaps() -> None:
    assert gaps_line({"gaps": 3, "missing": 0, "backfilled": 0}) == "3 gaps"
    assert gaps_line({"gaps": 3, "missing": 1200, "backfilled": 1100}) == (
        "3 gaps, 1,100 of 1,200 missing events found again"
    )
