"""The tables: every part, and beside what was aimed at what is reached."""

from collections.abc import Callable, Iterable, Sequence

from attrs import define

from .results import Results, Row, ratio

PARTS = {
    "a": "(a) socket to null sink", "b": "(b) socket to subscriber", "c": "(c) socket to SQLite",
    "d": "(d) socket to PostgreSQL, committed", "e": "(e) latency, ms", "f": "(f) memory, MB",
    "g": "(g) growth and start-up",
}  # fmt: skip
_SHOWN = {
    "per_s": ("messages/s", ",.0f"), "cpu_us": ("CPU µs/message", ",.2f"), "rss_mb": ("resident MB", ",.1f"),
    "most_mb": ("most MB", ",.1f"), "p50": ("p50", ",.2f"), "p99": ("p99", ",.2f"), "p99.9": ("p99.9", ",.2f"),
    "max": ("max", ",.2f"), "offered_per_s": ("offered/s", ",.0f"), "s": ("s", ",.3f"), "lost": ("lost", ",.0f"),
    "gaps": ("gaps", ",.0f"), "server_cpu": ("server, of a core", ",.2f"),
}  # fmt: skip
_RIVALS = ("cryptofeed", "cryptofeed, defaults")


def report(results: Results) -> str:
    """Return all of it as Markdown."""
    about = results.about
    machine, versions = about["machine"], about["versions"]
    lines = [
        "# Benchmark results", "",
        "Made by `make bench`; [how each figure is measured](../README.md). Medians of the runs; losses and gaps are "
        "summed over them.", "",
        f"{about['started']}: {machine['cpu']}, {machine['cores']} cores, {machine['system']}, load average "
        f"{machine['load_average']:.2f} at the start.", "",
        ", ".join(f"{name} {value}" for name, value in versions.items()), "",
        "## Aims", "", *_table(["", "at least", "aim", "reached", ""], (aim.row(results) for aim in AIMS)),
    ]  # fmt: skip
    for part, title in PARTS.items():
        rows = list(results.rows(part))
        if rows:
            lines += ["", f"## {title}", "", *_part(results, rows)]
    return "\n".join(lines) + "\n"


def _part(results: Results, rows: Sequence[Row]) -> list[str]:
    present = {name for row in rows for name in results.median(row)}
    names = [name for name in _SHOWN if name in present]
    versus = any(row.contestant in _RIVALS for row in rows)
    head = ["", "exchange", "load", "who", *(_SHOWN[name][0] for name in names), *(["CPU of cryptofeed's"] * versus)]
    found = []
    for row in rows:
        median = results.median(row)
        # A speed of 0 is none: all was written in one piece, behind what is measured.
        shown = {name for name in median if name != "per_s" or median[name]}
        cells = [f"{median[name]:{_SHOWN[name][1]}}" if name in shown else "" for name in names]
        beside = [_times(rival_ratio(results, row))] if versus else []
        failed = results.failure(row)
        who = (
            row.contestant if failed is None else f"{row.contestant} (failed: {failed.strip().splitlines()[-1][:120]})"
        )
        found.append([row.cell, row.exchange, row.load, who, *cells, *beside])
    return _table(head, found)


def rival_ratio(results: Results, row: Row) -> float | None:
    """Return how many times its CPU cryptofeed takes for the same."""
    if row.contestant.startswith("cryptofeed"):
        return None
    for name in _RIVALS:
        other = results.figure(Row(row.part, row.cell, row.exchange, row.load, name), "cpu_us")
        if other is not None:
            return ratio(other, results.figure(row, "cpu_us"))
    return None


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}x"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


@define(frozen=True)
class Aim:
    """A line of the aims: `reached` reads the figure, larger is better unless `most`; `form` shows it."""

    name: str
    least: float
    aim: float
    reached: Callable[[Results], float | None]
    form: str = "{:.2f}x"
    most: bool = False

    def row(self, results: Results) -> list[str]:
        """Return its cells."""
        value = self.reached(results)
        sign = "<= " if self.most else ""
        bounds = [sign + self.form.format(self.least), sign + self.form.format(self.aim)]
        if value is None:
            return [self.name, *bounds, "not measured", ""]
        return [self.name, *bounds, self.form.format(value), self.verdict(value)]

    def verdict(self, value: float) -> str:
        """Return "aim met", "met" or "not met"."""
        if value <= self.aim if self.most else value >= self.aim:
            return "aim met"
        return "met" if (value <= self.least if self.most else value >= self.least) else "not met"


def _cpu(part: str, cell: str, load: str, contestant: str) -> Callable[[Results], float | None]:
    """Return what reads the CPU per message of a contestant on Binance."""
    return lambda results: results.figure(Row(part, cell, "binance", load, contestant), "cpu_us")


def _beside(cell: str, load: str, transport: str) -> Callable[[Results], float | None]:
    """Return what reads how many times jrr's CPU cryptofeed takes."""
    return lambda results: ratio(
        _cpu("b", cell, load, "cryptofeed")(results), _cpu("b", cell, load, f"jrr, {transport}")(results)
    )


def _over_floor(transport: str, beneath: str) -> Callable[[Results], float | None]:
    """Return what reads how many times the CPU of the same transport, with typed decoding alone, jrr takes."""
    null = "socket to null sink"
    return lambda results: ratio(
        _cpu("a", null, "trade", f"jrr, {transport}")(results),
        _cpu("a", null, "trade", f"{beneath} + msgspec")(results),
    )


def _visible(rate: int, quantile: str) -> Callable[[Results], float | None]:
    row = Row("e", f"receive to visible, {rate:,}/s", "binance", "trade", "jrr, auto")
    return lambda results: results.figure(row, quantile)


def _grown(results: Results) -> float | None:
    many, few = (
        results.figure(Row("g", f"{count:,} streams", "binance", "trade", "jrr, auto"), "cpu_us")
        for count in (5_000, 10)
    )
    return ratio(many, few)


_CALLBACK, _BOOK = "socket to callback", "book kept, top 10 read"
_MS, _MB, _S, _PER_S = "{:.1f} ms", "{:.1f} MB", "{:.2f} s", "{:,.0f}/s"
AIMS = (
    Aim("trade to callback, cryptofeed's CPU against jrr's on websockets", 1.3, 1.6,
        _beside(_CALLBACK, "trade", "websockets")),
    Aim("the same on picows", 2, 3, _beside(_CALLBACK, "trade", "picows")),
    Aim("depth with sequence checks, on websockets", 4, 8, _beside(_CALLBACK, "depth", "websockets")),
    Aim("the same on picows", 4, 8, _beside(_CALLBACK, "depth", "picows")),
    Aim("depth, book kept and top 10 read, on websockets", 2, 4, _beside(_BOOK, "depth", "websockets")),
    Aim("the same on picows", 2, 4, _beside(_BOOK, "depth", "picows")),
    Aim("socket to committed PostgreSQL rows, trades", 40_000, 80_000,
        lambda results: results.figure(Row("d", "socket to PostgreSQL", "binance", "trade", "jrr, auto"), "per_s"),
        _PER_S),
    Aim("trade to null sink, CPU against the floor, websockets", 2, 1.5,
        _over_floor("websockets", "jrr's websockets"), most=True),
    Aim("the same, picows", 2, 1.5, _over_floor("picows", "picows"), most=True),
    Aim("receive to visible at 10,000/s, p99", 50, 20, _visible(10_000, "p99"), _MS, most=True),
    Aim("the same, p50", 50, 5, _visible(10_000, "p50"), _MS, most=True),
    Aim("receive to visible at 1,000/s, p99", 20, 8, _visible(1_000, "p99"), _MS, most=True),
    Aim("the same, p50", 20, 3, _visible(1_000, "p50"), _MS, most=True),
    Aim("memory, two exchanges + PostgreSQL, after 10 minutes at 10,000/s", 60, 50,
        lambda results: results.figure(Row("f", "the same after 600 s at 10,000/s", "both", "mixed", "jrr, auto"),
                                       "rss_mb"), _MB, most=True),
    Aim("CPU per message at 5,000 streams against 10", 1.3, 1.1, _grown, most=True),
    Aim("`jrr --help`", 0.4, 0.2, lambda results: results.figure(Row("g", "jrr --help", "", "", "jrr"), "s"), _S,
        most=True),
)  # fmt: skip
