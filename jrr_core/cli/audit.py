"""`jrr audit`: what the stored rows themselves say is missing, held against what the store says."""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from attrs import asdict

from ..audit.finding import Finding, Rules, StreamAudit
from ..audit.walk import audit as walk
from ..plugins import Plugins
from ..store import QueryStore
from ..wire import encode
from .moment import moments, shown
from .options import config_options, json_option, scope_options, settings
from .records import each, write
from .stored import among, query_store_of, streams
from .tell import tell

_COLUMNS = ("stream", "rows", "runs", "holes", "recorded", "verdict")


@click.command()
@json_option
@scope_options
@config_options
def audit(
    as_json: bool,
    exchange: str | None,
    symbol: str | None,
    since: str | None,
    until: str | None,
    config_file: Path | None,
    plugins: str | None,
    overrides: tuple[str, ...],
) -> None:
    """Find out from the stored rows alone what is missing, and whether the store says so.

    Reads every trade, candle and book update of the choice. Exit code 1 where
    rows and coverage do not agree, a book is crossed, or a candle is not what
    its trades make.
    """
    now = time.time_ns()
    begin, end = moments(since, until, now)
    store = query_store_of(settings(config_file, plugins, overrides))
    # What comes while the audit runs would not be in the coverage it compares with.
    times = begin, now if end is None else min(end, now)
    results = asyncio.run(_results(store, rules(), exchange, symbol, times))
    findings = [finding for result in results for finding in result.findings]
    if as_json:
        tell(encode({"streams": [_record(result) for result in results], "findings": list(map(asdict, findings))}))
    elif not results:
        tell("the store is empty: nothing was collected into it")
    else:
        _table(results)
        tell("", *map(line, findings), _total(results))
    sys.exit(1 if any(result.faults for result in results) else 0)


def rules() -> Mapping[str, Rules]:
    """Return what the installed plugins, named in the settings or not, say of their exchanges' trades."""
    return {name: Rules.of(connector) for name, connector in Plugins.load().connectors.items()}


def line(finding: Finding) -> str:
    """Return a finding as one line: what, where, when, and what to do."""
    word = "note" if finding.note else finding.kind
    where = f"{finding.exchange}:{finding.channel}:{finding.symbol}"
    when = shown(finding.ts_from)
    if finding.ts_to > finding.ts_from:
        when += f" for {(finding.ts_to - finding.ts_from) / 1e9:.3f} s"
    return f"{word} {where} at {when}: {finding.text}; {finding.cure}"


async def _results(
    store: QueryStore,
    known: Mapping[str, Rules],
    exchange: str | None,
    symbol: str | None,
    times: tuple[int | None, int | None],
) -> list[StreamAudit]:
    chosen = await among(store, await streams(store), exchange, symbol)
    return [result async for result in walk(store, chosen, known, *times)]


def _record(result: StreamAudit) -> dict[str, object]:
    return {**asdict(result, filter=lambda field, _: field.name != "findings"), "verdict": result.verdict}


def _table(results: Sequence[StreamAudit]) -> None:
    rows = [
        {
            "stream": f"{result.exchange}:{result.channel}:{result.symbol}",
            **{name: getattr(result, name) for name in _COLUMNS[1:]},
        }
        for result in results
    ]
    asyncio.run(write(each(rows), _COLUMNS, "table", sys.stdout))


def _total(results: Sequence[StreamAudit]) -> str:
    faults = sum(result.faults for result in results)
    rows, holes = sum(result.rows or 0 for result in results), sum(result.holes for result in results)
    unjudged = sum(result.unjudged is not None for result in results)
    text = f"{len(results):,} streams, {rows:,} rows, {holes:,} holes, {faults:,} findings"
    return text + (f"; {unjudged:,} streams could not be judged" if unjudged else "")
