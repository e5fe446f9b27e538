"""What `make soak` prints and leaves behind."""

import json
import os
import platform
from pathlib import Path

import attrs

from ..faults.page import table
from .soak import Outcome

_UNITS = {"rss_mb": "RSS, MB", "uss_mb": "of its own (USS), MB", "blocks": "blocks of Python memory"}


def lines(outcome: Outcome) -> list[str]:
    """Return the table of what was sampled, and in words what the store held."""
    rows = [
        [_UNITS.get(each.name, each.name), _shown(each.early), _shown(each.late), _shown(each.peak),
         f"{each.per_hour:+,.1f}" if "_" in each.name else f"{each.per_hour:+,.0f}", each.allowed,
         "flat" if each.flat else "NOT FLAT"]
        for each in outcome.flatness
    ]  # fmt: skip
    verdict = outcome.verdict
    cpu = outcome.samples[-1].cpu_s - outcome.samples[0].cpu_s
    span_s = outcome.samples[-1].at_s - outcome.samples[0].at_s
    return [
        *table(["What", "Second quarter", "Last quarter", "Peak", "An hour", "Allowed", "Verdict"], rows), "",
        f"{outcome.minutes:g} minutes, {outcome.frames:,} messages ({outcome.frames / outcome.minutes / 60:,.0f} a "
        f"second), CPU {cpu / span_s:.0%} of a core; the store was {', '.join(outcome.troubles) or 'left alone'}",
        f"{verdict.sent:,} trades and candles judged: {verdict.stored:,} stored, {verdict.backfilled:,} fetched later, "
        f"{verdict.in_gaps:,} in recorded gaps, {verdict.lost:,} lost silently, {verdict.false_gaps} false gaps, "
        f"{verdict.books_wrong} of {verdict.books_checked} books wrong",
        *(f"    {text}" for text in outcome.findings[:20]),
        "holds" if outcome.holds else "DOES NOT HOLD",
    ]  # fmt: skip


def keep(outcome: Outcome, folder: Path) -> None:
    """Write result.json: the outcome, and where it was had."""
    where = {"machine": platform.platform(), "processors": os.cpu_count(), "python": platform.python_version()}
    result = {**attrs.asdict(outcome), **where, "holds": outcome.holds, "frames": outcome.frames}
    (folder / "result.json").write_text(json.dumps(result, indent=1, default=str))


def _shown(number: float) -> str:
    return f"{number:,.1f}" if isinstance(number, float) and number % 1 else f"{number:,.0f}"
