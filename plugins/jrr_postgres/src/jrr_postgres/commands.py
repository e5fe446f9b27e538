"""The commands `jrr postgres ...`: set up a database, compact it."""

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

import click

from jrr_core.cli.options import config_options, settings, sink_settings
from jrr_core.cli.tell import tell
from jrr_core.errors import ConfigError

from . import compacting
from .compact import closed_before
from .queries import Queries
from .schema import VERSION
from .settings import StorageConfig, target_of
from .sink import PostgresSink


@click.group()
def postgres() -> None:
    """Set up and look after a PostgreSQL store."""


@postgres.command()
@config_options
def init(config_file: Path | None, plugins: str | None, overrides: tuple[str, ...]) -> None:
    """Create the database if it is not there and may be, and everything in it.

    `jrr run` does the same when it starts. What is there already is left, or
    brought to the current version.
    """
    chosen = _settings(config_file, plugins, overrides)
    asyncio.run(_init(chosen))
    target = target_of(chosen)
    tell(f"database {target.database} of {target.place} is ready: namespace {chosen.schema}, schema version {VERSION}")


@postgres.command()
@click.option(
    "--before", metavar="DATE", help="Days that ended before this one (UTC); default: as compact_after_h says."
)
@config_options
def compact(before: str | None, config_file: Path | None, plugins: str | None, overrides: tuple[str, ...]) -> None:
    """Rewrite closed days into compact blocks, which views and queries read as well.

    May run beside a collector, which does the same by itself once a day
    unless `sinks.postgres.compact` is false.
    """
    chosen = _settings(config_file, plugins, overrides)
    done, left = asyncio.run(_compact(chosen, _closed(before, chosen)))
    for text in left:
        tell(text, err=True)
    if done or not left:
        tell(*(done or ["nothing to compact: no closed day has rows"]))


async def _init(chosen: StorageConfig) -> None:
    sink = PostgresSink(chosen)
    try:
        await sink.open()
    finally:
        await sink.close()


async def _compact(chosen: StorageConfig, before: date) -> tuple[list[str], list[str]]:
    async with Queries(chosen):
        pass  # what the user has to mend is told here, and a schema of a newer jrr is left alone
    return await compacting.in_child(chosen, before)


def _closed(before: str | None, chosen: StorageConfig) -> date:
    if before is None:
        return closed_before(datetime.now(UTC), chosen.compact_after_h)
    try:
        return date.fromisoformat(before)
    except ValueError:
        raise ConfigError(f"--before {before!r} is not a date; write for example 2026-11-25") from None


def _settings(config_file: Path | None, plugins: str | None, overrides: tuple[str, ...]) -> StorageConfig:
    chosen: StorageConfig = sink_settings(settings(config_file, plugins, overrides), PostgresSink)
    return chosen
