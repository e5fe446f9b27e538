"""The tables of `jrr plan`, for people and as data."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import asdict, define

from ..plan import MONTH_DAYS, Cost, PlanSettings, Stream, costs, size_of, total
from ..rates import Typical
from ..sink import Sink, StreamKey
from ..stocktake import HOUR_S, Compared, Taken, compare
from ..volume import RowBytes

_UNITS = f"A month is {MONTH_DAYS} days; 1 kB is 1,000 bytes."
_DAY_S = 86_400.0
# Nearer than this a rate is not worth changing.
_FITS = 0.05


@define(frozen=True)
class Reckoning:
    """What a plan is made with: the user's settings, and the rates that exchanges fix, by exchange and channel."""

    settings: PlanSettings
    fixed: Mapping[str, Mapping[str, float]]

    def costs(self, streams: Iterable[Stream], sink: Sink) -> list[Cost]:
        """Return what the streams cost in a store."""
        return costs(streams, self.settings, self.fixed, row_bytes_of(sink))


def row_bytes_of(sink: Sink) -> Mapping[str, RowBytes]:
    """Return the store's row sizes by channel; none where it does not say."""
    found: Mapping[str, RowBytes] = getattr(sink, "row_bytes", {})
    return found


def expectation(
    reckoning: Reckoning, sinks: Sequence[Sink], streams: Sequence[Stream], notes: Sequence[str]
) -> tuple[list[str], dict[str, Any]]:
    """Return the plan for each store, the figures it was made with, and what it leaves out."""
    lines: list[str] = []
    stores: list[dict[str, Any]] = []
    rates: dict[str, Typical] = {}
    for sink in sinks:
        planned = reckoning.costs(streams, sink)
        rates |= {cost.rate_key: cost.rate for cost in planned}
        sizes = {c: size_of(c, reckoning.settings, row_bytes_of(sink)) for c in {s.channel: 0 for s in streams}}
        lines += [f"store {sink.name}", *_plan_table(planned), "", *_size_lines(sink.name, sizes), ""]
        stores.append({
            "store": sink.name,
            "subscriptions": [_cost_data(cost) for cost in planned],
            "total": _sums(planned),
            "row_bytes": {channel: None if size is None else asdict(size) for channel, size in sizes.items()},
        })  # fmt: skip
    lines += [*_rate_lines(rates), "", _UNITS, *notes]
    data = {"month_days": MONTH_DAYS, "stores": stores, "rates": {k: asdict(r) for k, r in rates.items()}}
    return lines, {**data, "notes": list(notes)}


def comparison(
    reckoning: Reckoning,
    sink: Sink,
    streams: Sequence[Stream],
    taken: Mapping[StreamKey, Taken],
    notes: Sequence[str],
) -> tuple[list[str], dict[str, Any]]:
    """Return plan and store side by side, and the rates that would have fitted."""
    found = compare(streams, taken, reckoning.settings, reckoning.fixed, row_bytes_of(sink))
    better = {c.subscription: float(f"{c.rate:.3g}") for c in found if c.rate is not None and not _fits(c)}
    lines = [f"store {sink.name}: per day, planned and taken", *_comparison_table(found), ""]
    if any(c.rows is not None and c.covered_s < _DAY_S for c in found):
        lines.append("* collected for less than a day: the hours that are missing may be busier or quieter")
    if any(c.rows is None for c in found):
        lines.append("Less than an hour says nothing of a day: such streams are not compared yet.")
    if better:
        lines += ["To make the plan fit:", "", "[plan.rates]", *[f'"{key}" = {rate:g}' for key, rate in better.items()]]
    elif any(c.rows is not None for c in found):
        lines.append(f"The plan fits within {_FITS:.0%}.")
    data = [{**asdict(c), "ratio": c.ratio, "whole_day": c.covered_s >= _DAY_S} for c in found]
    return [*lines, *([""] if notes else []), *notes], {
        "store": sink.name, "subscriptions": data, "rates": better, "notes": list(notes),
    }  # fmt: skip


def amount(size: float | None) -> str:
    """Return bytes in decimal units, three digits: "217 MB"; "?" for None."""
    if size is None:
        return "?"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 999.5 or unit == "TB":
            break
        size /= 1000
    digits = 0 if size >= 99.95 or unit == "B" else 1 if size >= 9.995 else 2
    return f"{size:.{digits}f} {unit}"


def _plan_table(planned: Sequence[Cost]) -> list[str]:
    shrinks = any(cost.fresh != cost.kept for cost in planned)
    head = ["subscription", "class", "symbols", "events/s", "rows/day", "rows/month", "bytes/day", "bytes/month"]
    rows = [[*head, *(["kept/day", "kept/month"] if shrinks else [])]]
    by_exchange: dict[str, list[Cost]] = {}
    for cost in planned:
        by_exchange.setdefault(cost.stream.subscription.exchange, []).append(cost)
    for exchange, members in by_exchange.items():
        for cost in members:
            kind = f"{cost.stream.symbol_class} {cost.stream.market}"
            name = [str(cost.stream.subscription), kind, f"{cost.symbols:,}", f"{cost.rate.per_s * cost.symbols:.3g}"]
            rows.append([*name, *_figures([cost], shrinks)])
        if len(members) > 1 and len(by_exchange) > 1:
            rows.append([f"{exchange} in all", "", "", "", *_figures(members, shrinks)])
    if len(planned) > 1:
        rows.append(["in all", "", "", "", *_figures(planned, shrinks)])
    return _aligned(rows, left=2)


def _figures(members: Sequence[Cost], shrinks: bool) -> list[str]:
    sums = _sums(members)
    names = ["fresh_bytes", *(["kept_bytes"] if shrinks else [])]
    cells = [f"{sums['rows_per_day']:,.0f}", f"{sums['rows_per_month']:,.0f}"]
    return cells + [amount(sums[f"{name}_per_{time}"]) for name in names for time in ("day", "month")]


def _sums(members: Sequence[Cost]) -> dict[str, Any]:
    day = {
        "rows": sum(cost.rows for cost in members),
        "fresh_bytes": total(cost.fresh for cost in members),
        "kept_bytes": total(cost.kept for cost in members),
    }
    month = {name: None if value is None else value * MONTH_DAYS for name, value in day.items()}
    return {f"{k}_per_day": v for k, v in day.items()} | {f"{k}_per_month": v for k, v in month.items()}


def _cost_data(cost: Cost) -> dict[str, Any]:
    stream = cost.stream
    return {
        "subscription": str(stream.subscription), "channel": stream.channel, "class": stream.symbol_class,
        "market": stream.market, "symbols": cost.symbols, "rate": cost.rate_key,
        "events_per_s": cost.rate.per_s, **_sums([cost]),
    }  # fmt: skip


def _rate_lines(rates: Mapping[str, Typical]) -> list[str]:
    rows = [["events per second of one symbol", "", "levels", "source"]]
    for key, rate in rates.items():
        rows.append([key, f"{rate.per_s:.3g}", f"{rate.levels:g}" if rate.levels else "", rate.source])
    names, *others = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        f"{row[0].ljust(names)}  {row[1].rjust(others[0])}  {row[2].rjust(others[1])}  {row[3]}".rstrip()
        for row in rows
    ]


def _size_lines(store: str, sizes: Mapping[str, RowBytes | None]) -> list[str]:
    rows = [["bytes of a row", "as written", "kept"]]
    for channel, size in sizes.items():
        if size is None:
            rows.append([channel, "?", f"{store} does not say; set plan.row_bytes.{channel}"])
        else:
            rows.append([channel, _size(size.fresh, size.per_level_fresh), _size(size.kept, size.per_level_kept)])
    return _aligned(rows, left=3)


def _size(row: float, level: float) -> str:
    return f"{row:g} + {level:g} a level" if level else f"{row:g}"


def _comparison_table(found: Sequence[Compared]) -> list[str]:
    rows = [["subscription", "symbols", "collected", "rows planned", "taken", "ratio", "bytes planned", "taken"]]
    for c in found:
        size = amount(c.planned_fresh)
        if c.planned_kept != c.planned_fresh:
            size = f"{size}, kept {amount(c.planned_kept)}"
        mark = "*" if c.rows is not None and c.covered_s < _DAY_S else ""
        taken = "?" if c.rows is None else f"{c.rows:,.0f}"
        ratio = "-" if c.ratio is None else f"{c.ratio:.2f}"
        symbols = f"{c.measured:,} of {c.streams:,}" if c.measured else f"{c.streams:,}"
        rows.append([c.subscription, symbols, f"{_time(c.covered_s)}{mark}", f"{c.planned_rows:,.0f}", taken, ratio,
                     size, amount(c.bytes)])  # fmt: skip
    return _aligned(rows, left=1)


def _time(seconds: float) -> str:
    if seconds < HOUR_S:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / HOUR_S:.1f} h" if seconds < 2 * _DAY_S else f"{seconds / _DAY_S:.1f} days"


def _fits(compared: Compared) -> bool:
    return compared.ratio is not None and abs(compared.ratio - 1) <= _FITS


def _aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Return rows as lines, the first `left` columns flush left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
