"""Figures of docs/sizing.md are those of the pages that tell how they were measured; its defaults are the defaults."""

import re
from functools import reduce

import pytest

from jrr_core.config import Config
from tests.docs.examples import ROOT

PAGE = (ROOT / "docs" / "sizing.md").read_text("utf-8")
SOURCES = "\n".join(
    (ROOT / name).read_text("utf-8")
    for name in (
        "benchmarks/README.md",
        "benchmarks/results/bench.md",
        "plugins/jrr_postgres/README.md",
        "plugins/jrr_sqlite/README.md",
        "docs/spool.md",
    )
)
MEASURED = re.findall(r"^\| ([^|\n]+ \|(?: [^|\n]* \|)*) (`benchmarks/[^|\n]+|the same[^|\n]*) \|$", PAGE, re.MULTILINE)
UNITS = {"GiB": 2**30, "GB": 10**9, "MB": 10**6, "": 1}


def test_each_measuring_program_is_there() -> None:
    named = re.findall(r"`(benchmarks/\w+\.py)", PAGE)
    assert len(named) >= 3
    assert all((ROOT / name).is_file() for name in named)


@pytest.mark.parametrize("cells", [cells for cells, _ in MEASURED])
def test_measured_figures_stand_where_they_were_measured(cells: str) -> None:
    figures = re.findall(r"\d[\d.,]*(?<![.,])", cells.partition("|")[2])
    assert figures
    for figure in figures:
        assert re.search(rf"(?<![\d.,]){re.escape(figure)}(?![\d]|[.,]\d)", SOURCES), f"{figure} of {cells}"


def test_defaults_on_the_page_are_the_defaults() -> None:
    named = re.findall(r"`([a-z]+\.\w+)` \(([\d.,]+) ?(GiB|GB|MB|)\)", PAGE)
    assert len(named) == 5
    for key, number, unit in named:
        default = reduce(getattr, key.split("."), Config())
        assert default == int(number.replace(",", "")) * UNITS[unit], key  # type: ignore[comparison-overlap]
