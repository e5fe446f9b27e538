"""What the runs gave: kept as JSON after every part, medians over the runs of a row."""

import json
import statistics
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import asdict, define


@define(frozen=True)
class Row:
    """What a figure is of."""

    part: str
    cell: str
    exchange: str
    load: str
    contestant: str


class Results:
    """Figures of runs by row; saved to a file, merged with what other parts put there."""

    def __init__(self, about: Mapping[str, Any]) -> None:
        """Start empty; `about` tells of machine and versions."""
        self.about: dict[str, Any] = dict(about)
        self._runs: dict[Row, list[dict[str, float]]] = {}
        self._failures: dict[Row, str] = {}

    @classmethod
    def load(cls, file: Path) -> "Results":
        """Read what `save` wrote."""
        stored = json.loads(file.read_text("utf-8"))
        results = cls(stored["about"])
        for entry in stored["rows"]:
            row = Row(*(entry[name] for name in ("part", "cell", "exchange", "load", "contestant")))
            results._runs[row] = entry["runs"]
            if entry.get("failure"):
                results._failures[row] = entry["failure"]
        return results

    def save(self, file: Path) -> None:
        """Write all rows, those of one line each."""
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            {**asdict(row), "median": self.median(row), "runs": runs, "failure": self._failures.get(row)}
            for row, runs in self._runs.items()
        ]
        lines = ",\n".join(json.dumps(row) for row in rows)
        file.write_text(f'{{"about": {json.dumps(self.about, indent=1)},\n"rows": [\n{lines}\n]}}\n', "utf-8")

    def drop(self, part: str) -> None:
        """Forget a part, which is run again."""
        for row in [row for row in self._runs if row.part == part]:
            del self._runs[row]
            self._failures.pop(row, None)

    def add(self, row: Row, figures: Mapping[str, float]) -> None:
        """Note one run."""
        self._runs.setdefault(row, []).append(dict(figures))
        shown = "  ".join(f"{name} {value:,.4g}" for name, value in figures.items())
        print(f"{row.part} {row.cell} | {row.exchange} {row.load} | {row.contestant}: {shown}", file=sys.stderr)

    def fail(self, row: Row, error: BaseException, log: Path) -> None:
        """Note that a run came to nothing, and why."""
        self._runs.setdefault(row, [])
        said = log.read_text("utf-8", "replace")[-500:] if log.exists() else ""
        self._failures[row] = f"{type(error).__name__}: {error} {said}"
        print(f"{row}: {self._failures[row]}", file=sys.stderr)

    def rows(self, part: str) -> Iterator[Row]:
        """Yield the rows of a part in the order of their first run."""
        yield from [row for row in self._runs if row.part == part]

    def runs(self, row: Row) -> int:
        """Return how many runs a row has."""
        return len(self._runs.get(row, ()))

    def failure(self, row: Row) -> str | None:
        """Return why a run of it came to nothing, None where none did."""
        return self._failures.get(row)

    def median(self, row: Row) -> dict[str, float]:
        """Return the medians of its figures; losses and gaps are summed, so that one shows."""
        runs = self._runs.get(row, [])
        if not runs:
            return {}
        return {
            name: sum(run[name] for run in runs) if name in ("lost", "gaps") else statistics.median(
                [run[name] for run in runs if name in run])
            for name in runs[0]
        }  # fmt: skip

    def figure(self, row: Row, name: str) -> float | None:
        """Return one median, None where there is none."""
        return self.median(row).get(name)


def ratio(one: float | None, other: float | None) -> float | None:
    """Return one over the other; None where either is missing."""
    return None if one is None or not other else one / other
