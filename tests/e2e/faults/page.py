"""The tables of docs/reliability.md, written anew between their markers."""

import re
from collections.abc import Sequence
from pathlib import Path

from jrr_core.testing.verdict import Verdict

from .stage import Outcome

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reliability.md"
_COLUMNS = (
    "Fault", "Exchanges", "Store", "Messages/s", "Trades and candles", "Stored", "Backfilled", "In recorded gaps",
    "Lost silently", "False gaps", "Books equal / wrong / not intact", "Account", "Recovery",
)  # fmt: skip


def write(name: str, lines: Sequence[str], page: Path = PAGE) -> None:
    """Put lines between `<!-- NAME -->` and `<!-- end of NAME -->`; raises ValueError where these are not."""
    text = page.read_text("utf-8")
    body = "\n".join(["", *lines, ""])
    found, count = re.subn(f"(?<=<!-- {name} -->\n).*?(?=<!-- end of {name} -->)", lambda _: body.lstrip("\n"), text,
                           flags=re.DOTALL)  # fmt: skip
    if not count:
        raise ValueError(f"{page} has no place for {name}")
    page.write_text(found, "utf-8")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return a table in Markdown."""
    shown = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    return [_line(columns), _line(["---"] * len(columns)), *map(_line, shown)]


def fault_rows(outcomes: Sequence[Outcome]) -> list[list[object]]:
    """Return the table's rows, those of a fault together."""
    order = list(dict.fromkeys(each.fault for each in outcomes))
    rows: list[list[object]] = []
    for each in sorted(outcomes, key=lambda each: order.index(each.fault)):
        verdict = each.verdict
        rows.append([
            each.fault, ", ".join(each.exchanges), each.store, each.rate, verdict.sent, verdict.stored,
            verdict.backfilled, verdict.in_gaps, verdict.lost, verdict.false_gaps,
            _books(verdict), "balanced" if each.balanced else "WRONG",
            "none" if each.recovery_s is None else f"{each.recovery_s:.1f} s",
        ])  # fmt: skip
    return rows


def fault_table(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the table of fault x result."""
    return table(_COLUMNS, fault_rows(outcomes))


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return the line that says it all."""
    seeds = sorted({each.seed for each in outcomes})
    verdicts = [each.verdict for each in outcomes]
    shown = ", ".join(map(str, seeds[:8])) + (" ..." if len(seeds) > 8 else "")
    counts = {
        "lost silently": sum(each.lost for each in verdicts),
        "false gaps": sum(each.false_gaps for each in verdicts),
        "wrong counts": sum(each.wrong_counts for each in verdicts),
        "books wrong": sum(each.books_wrong for each in verdicts),
        "accounts wrong": sum(not each.balanced for each in outcomes),
        "runs with a finding": sum(not each.holds for each in outcomes),
    }
    return f"{len(outcomes)} fault runs, {len(seeds)} seeds ({shown}), {sum(v.sent for v in verdicts):,} trades: " + (
        ", ".join(f"{name} {count:,}" for name, count in counts.items())
    )


def _books(verdict: Verdict) -> str:
    return f"{verdict.books_checked - verdict.books_wrong} / {verdict.books_wrong} / {verdict.books_not_intact}"


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"
