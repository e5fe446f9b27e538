"""`jrr top`: a running collector on the terminal."""

import shutil
import time

import click

from ..errors import ConfigError
from ..top.client import ask, url_of
from ..top.panes import reading
from ..top.snapshot import snapshot


@click.command()
@click.argument("url", metavar="[URL]", required=False)
@click.option("--once", is_flag=True, help="Print what there is once, and end.")
@click.option("--every", "every_s", type=click.FloatRange(0.2, 60), default=1.0, show_default=True, metavar="S",
              help="Seconds between two looks.")  # fmt: skip
def top(url: str | None, once: bool, every_s: float) -> None:
    """Show what a running collector does: streams, exchanges, stores, alarms.

    URL is where it listens (metrics.listen): a port, HOST:PORT or http://...;
    default: http://127.0.0.1:9464. Exit code 1 where nobody answers.
    """
    address = url_of(url)
    if once:
        before = ask(address)
        time.sleep(every_s)
        for line in snapshot(reading(ask(address), before), shutil.get_terminal_size((160, 24)).columns):
            click.echo(line)
        return
    try:
        from ..top.app import Top
    except ImportError:
        raise ConfigError("the view needs textual: pip install 'jrr-core[top]'; `jrr top --once` does not") from None
    first = ask(address)
    Top(address, first, every_s).run()
