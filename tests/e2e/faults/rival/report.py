"""The table of the contest: trades that are not in each contestant's store, and how many of them it knows of."""

from collections.abc import Sequence

from ..page import table
from .contest import Score


def contest_table(scores: Sequence[Score], absent: str | None) -> list[str]:
    """Return the table; `absent` is why there is no figure for cryptofeed, None where there is."""
    names = list(dict.fromkeys(score.contestant for score in scores))
    columns = ["Fault", "Trades"]
    for name in names:
        columns += [f"{name}: not stored", "of them told"]
    rows = []
    for trial in dict.fromkeys(score.trial for score in scores):
        found = [score for score in scores if score.trial == trial]
        cells: list[object] = [trial, found[0].sent]
        for score in found:
            cells += [f"{score.missing:,}{' (process ended)' if score.ended else ''}", score.told]
        rows.append(cells)
    return table(columns, rows) + ([] if absent is None else ["", f"No figures for cryptofeed: {absent}."])
