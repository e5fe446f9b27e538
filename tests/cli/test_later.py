"""A command that is imported when it is asked for."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Jrr = Callable[..., Result]
Install = Callable[..., str]

PLUGIN = """
from jrr_core.cli.later import Later
from jrr_core.hookspecs import hookimpl

@hookimpl
def jrr_commands(cli):
    cli.add_command(Later("wave", "Wave at once.", "wave_of_hands:wave"))
"""
COMMAND = """
import click

@click.command()
@click.option("--often", default=1, help="How often.")
def wave(often):
    'Wave, for as long as it takes.'
    click.echo("o/" * often)
"""


@pytest.fixture(autouse=True)
def waving(folder: Path, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("waving", PLUGIN)
    (folder / "wave_of_hands.py").write_text(COMMAND)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "wave_of_hands", raising=False)


def test_it_is_listed_without_being_imported(jrr: Jrr) -> None:
    assert "wave         Wave at once." in jrr("--help").stdout
    assert "wave_of_hands" not in sys.modules


def test_it_is_the_command_itself_when_asked_for(jrr: Jrr) -> None:
    assert jrr("wave", "--often", "2").stdout == "o/o/\n"
    said = jrr("wave", "--help").stdout
    assert "Wave, for as long as it takes." in said
    assert "--often" in said
