"""`jrr plugins new`: a package for a plugin of one's own, and what to type next."""

import shlex
from pathlib import Path

import click

from ..scaffold import KINDS, scaffold


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), required=True, help="What the plugin offers.")
@click.option(
    "--path", "parent", type=click.Path(path_type=Path), default=Path(), metavar="DIR",
    help="Folder to make the package in; default: this one.",
)  # fmt: skip
def new(name: str, kind: str, parent: Path) -> None:
    """Make the package jrr_NAME: a plugin that runs and passes its tests, to be made your own.

    Overwrites nothing.
    """
    package = scaffold(name, kind, parent)
    package.write()
    click.echo(f"made {package.folder}: {kind} {name!r}, {len(package.files)} files")
    click.echo("next, in an environment of your own:")
    for command in (shlex.join(["cd", str(package.folder)]), *package.commands):
        click.echo(f"  {command}")
