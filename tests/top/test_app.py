"""The view on terminals of several sizes: keys, sorting, filtering, a collector that goes away and comes back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.strip import Strip

from jrr_core.top import app as app_module
from jrr_core.top.app import Lines, Top
from jrr_core.top.client import NoAnswer
from tests.top.sample import HOSTILE, stats, stream

ALARM = {"name": "clock_skew", "exchange": "toy", "subject": "toy", "text": "3 s off", "cure": "use NTP", "since_ns": 1}


def shown(app: Top) -> list[str]:
    """Return what the rows' part of the screen says."""
    lines = app.query_one(Lines)
    return [lines.render_line(y).text.rstrip() for y in range(lines.size.height)]


def head(app: Top) -> str:
    return str(app.query_one("#head").render())


def used(
    use: Callable[[Top, Pilot[None]], Awaitable[None]],
    first: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int] = (80, 24),
    answers: Callable[[], dict[str, Any]] | None = None,
) -> None:
    monkeypatch.setattr(app_module, "ask", lambda url: first if answers is None else answers())

    async def main() -> None:
        app = Top("http://x/stats", first, 60 if answers is None else 0.02)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await use(app, pilot)

    asyncio.run(main())


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (200, 60)])
def test_what_matters_is_seen_at_every_size(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(app: Top, pilot: Pilot[None]) -> None:
        rows = shown(app)
        assert all(len(row) <= size[0] for row in rows)
        assert "toy" in rows[1]
        assert "BTCUSDT" in rows[1]
        assert "live" in rows[1]
        assert "1.2.3" in head(app)
        assert "[streams]" in head(app)

    used(use, stats(stream("BTCUSDT"), alarms=[ALARM]), monkeypatch, size)


def test_keys_sort_filter_and_change_the_pane(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(app: Top, pilot: Pilot[None]) -> None:
        await pilot.press("greater_than_sign")
        assert [row.split()[1] for row in shown(app)[1:4]] == ["A", "C", "Q"]
        await pilot.press("r")
        assert [row.split()[1] for row in shown(app)[1:4]] == ["Q", "C", "A"]
        assert "symbolv" in shown(app)[0]
        await pilot.press("slash", "q", "enter")
        assert [row.split()[1] for row in shown(app)[1:3] if row] == ["Q"]
        assert "1 of 3" in head(app)
        await pilot.press("escape")
        assert "3 of 3" in head(app)
        await pilot.press("2")
        assert "frames/s" in shown(app)[0]
        await pilot.press("tab")
        assert "rows/s" in shown(app)[0]
        await pilot.press("4")
        assert "use NTP"[:4] in " ".join(shown(app)) or "clock_skew" in shown(app)[1]
        await pilot.press("question_mark")
        assert app.query_one("#help").display

    used(use, stats(stream("Q"), stream("C"), stream("A"), alarms=[ALARM]), monkeypatch)


def test_a_collector_that_goes_away_is_told_and_goes_on_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    there = [True]
    current = [stats(stream("A", 1))]

    def answer() -> dict[str, Any]:
        if not there[0]:
            raise NoAnswer("nobody is there")
        return current[0]

    async def until(app: Top, pilot: Pilot[None], words: str) -> None:
        for _ in range(200):
            await pilot.pause(0.02)
            if words in head(app) + " ".join(shown(app)):
                return
        raise AssertionError(f"{words!r} was never shown: {head(app)}")

    async def use(app: Top, pilot: Pilot[None]) -> None:
        there[0] = False
        await until(app, pilot, "nobody is there")
        assert "A" in shown(app)[1]
        current[0], there[0] = stats(stream("NEW", 2), uptime_s=20.0), True
        await until(app, pilot, "NEW")
        assert "nobody" not in head(app)
        await pilot.press("p")
        current[0] = stats(stream("LATER", 3), uptime_s=30.0)
        await pilot.pause(0.1)
        assert "NEW" in shown(app)[1]
        assert "held still" in head(app)

    used(use, current[0], monkeypatch, answers=answer)


def test_thousands_of_streams_draw_only_what_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    draw = Lines.render_line

    def counted(lines: Lines, y: int) -> Strip:
        drawn.append(y)
        return draw(lines, y)

    monkeypatch.setattr(Lines, "render_line", counted)

    async def use(app: Top, pilot: Pilot[None]) -> None:
        drawn.clear()
        app.redraw()
        await pilot.pause()
        assert 0 < len(drawn) <= 2 * 24
        await pilot.press("end")
        await pilot.pause()
        assert any("S1999" in row for row in shown(app))

    used(use, stats(*[stream(f"S{number:04}") for number in range(2000)]), monkeypatch)


def test_hostile_names_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(app: Top, pilot: Pilot[None]) -> None:
        rows = shown(app)
        assert all(row.isprintable() for row in rows)
        assert any("[bold]x[/bold]"[:10] in row for row in rows)
        assert "\\u001b[31mred" in app.export_screenshot().replace("&#160;", " ")

    used(use, stats(*[stream(text) for text in HOSTILE]), monkeypatch, size=(120, 30))
