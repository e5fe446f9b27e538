"""A command whose code is imported when it is asked for: its line in the list of commands costs nothing."""

from importlib import import_module

import click


class Later(click.Command):
    """Stands in for the command at `where` ("package.module:name"); `summary` is its line in the list of commands.

    A plugin adds one to the group it is given, so that `jrr --help` needs
    none of what the command works with.
    """

    def __init__(self, name: str, summary: str, where: str) -> None:
        """Take the place of the command; nothing is imported."""
        super().__init__(name, help=summary, short_help=summary, add_help_option=False)
        self._where = where

    def command(self) -> click.Command:
        """Import and return the command itself."""
        module, _, name = self._where.partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found
