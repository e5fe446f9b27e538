"""`jrr check`: everything a run needs, tried once, each finding with its cure."""

import asyncio
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import wrap

import click
from attrs import asdict

from ..checkup.checkup import checkup
from ..checkup.finding import Finding
from ..journal import set_up
from ..plugins import Plugins
from ..printable import printable
from ..wire import encode
from .options import config_options, json_option, settings, subscribe_option
from .tell import tell

_STATE_CHARS, _MOST_WHAT_CHARS, _LEAST_TEXT_CHARS, _MOST_TEXT_CHARS = 9, 28, 30, 2_000


@click.command()
@json_option
@config_options
@subscribe_option
def check(
    as_json: bool,
    config_file: Path | None,
    plugins: str | None,
    overrides: tuple[str, ...],
    subscribe: tuple[str, ...],
) -> None:
    """Test settings, plugins, machine, exchanges, subscriptions and store.

    Without subscriptions every exchange of the loaded plugins is tried; with
    them also, for five seconds, whether data come. Exit code 1 if something
    would keep a run from collecting, 2 if a setting is wrong.
    """
    config = settings(config_file, plugins, overrides, subscribe)
    loaded = Plugins.load(config.plugins)
    set_up("text", "error")
    findings = asyncio.run(checkup(config, loaded))
    if as_json:
        tell(encode([asdict(finding) for finding in findings]))
    else:
        tell(*_table(findings, shutil.get_terminal_size((100, 24)).columns))
    sys.exit(1 if any(finding.state == "error" for finding in findings) else 0)


def _table(findings: Iterable[Finding], width: int) -> Iterator[str]:
    """Yield the findings as lines: state, what was tried, how it went, and below that the cure."""
    rows = list(findings)
    what = min(max([len(row.what) for row in rows], default=0), _MOST_WHAT_CHARS)
    indent = _STATE_CHARS + what + 2
    room = max(width - indent, _LEAST_TEXT_CHARS)
    for row in rows:
        head = f"{row.state:<{_STATE_CHARS}}{printable(row.what, what):<{what}}  "
        for number, line in enumerate(wrap(printable(row.text, _MOST_TEXT_CHARS), room) or [""]):
            yield (head if number == 0 else " " * indent) + line
        for number, line in enumerate(wrap(printable(row.cure, _MOST_TEXT_CHARS), max(room - 6, 20))):
            yield " " * indent + ("cure: " if number == 0 else "      ") + line
    bad = sum(row.state == "error" for row in rows)
    warned = sum(row.state == "warning" for row in rows)
    yield ""
    yield f"{len(rows)} tried: {bad} errors, {warned} warnings" if bad or warned else f"{len(rows)} tried: all is well"
