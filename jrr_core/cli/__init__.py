"""The `jrr` command: one module per command, imported when the command is asked for.

Errors meant for people end as one paragraph on standard error: exit code 2 for
what the user or a plugin's author must change, 1 for what failed on the way.
"""

from gettext import gettext
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any

import click

from ..errors import ConfigError, JrrError, PluginError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_COMMANDS = {
    "run": "Collect live data until stopped.",
    "ctl": "Tell a running collector what to do.",
    "demo": "Collect from simulated exchanges on this machine.",
    "top": "Watch a running collector.",
    "check": "Test settings, plugins, exchanges, store and clock.",
    "plan": "Reckon what the subscriptions will cost.",
    "plugins": "List installed plugins and what they offer.",
    "instruments": "List what an exchange offers.",
    "replay": "Run a capture or recorded frames into a store.",
    "reparse": "Replace stored rows by what a capture means now.",
    "coverage": "Show what a store holds and what is missing.",
    "audit": "Compare stored rows with what the store says is missing.",
    "spool": "Show or store what waits on disk for a store.",
    "digest": "Print a fingerprint of the stored rows.",
    "query": "Ask a store: trades, candles, books, what is missing.",
    "export": "Write what is stored to files.",
    "simulate": "Serve a simulated exchange.",
}


# Of an error; what exchanges and users call things comes along, whatever its length.
_MOST_CHARS = 4_000


class _Failure(click.ClickException):
    """One paragraph on standard error: something failed on the way."""

    def show(self, file: IO[Any] | None = None) -> None:
        from ..printable import printable
        from ..redact import shown

        click.echo(printable(f"error: {shown(self.message)}", _MOST_CHARS), file=file, err=file is None)


class _Misuse(_Failure):
    """One paragraph on standard error: a setting, an argument or a plugin has to change."""

    exit_code = 2


class Commands(click.Group):
    """Finds commands among core's modules first, then among those that plugins add."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return core's commands, in the order a newcomer needs them, then the plugins'."""
        return list(_summaries())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command; None where neither core nor a plugin has it."""
        if cmd_name in _COMMANDS:
            command: click.Command = getattr(import_module(f"{__name__}.{cmd_name}"), cmd_name)
            return command
        from .added import command as added

        return added(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing core's."""
        with formatter.section(gettext("Commands")):
            formatter.write_dl(list(_summaries().items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Offer the commands that begin so, by the same list and as cheaply, and the options."""
        from click.shell_completion import CompletionItem

        rows = _summaries().items()
        found = [CompletionItem(name, help=text) for name, text in rows if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one comes nearest."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f"; did you mean {near[0]}?" if near else ";"
            ctx.fail(f"no command {args[0]!r}{hint} `jrr --help` lists them")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what goes wrong becomes one paragraph."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _Failure("interrupted") from None
        except (JrrError, OSError, BaseExceptionGroup) as error:
            failure = _failure(error)
            if failure is None:
                raise
            raise failure from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="jrr-core", prog_name="jrr")
def main() -> None:
    """Collect live crypto market data so that it can be trusted."""


def _failure(error: BaseException) -> _Failure | None:
    """Return the paragraph for an error that users can act on, None for any other."""
    if isinstance(error, BaseExceptionGroup):
        return _failure(error.exceptions[0])
    if isinstance(error, JrrError):
        return (_Misuse if isinstance(error, (ConfigError, PluginError)) else _Failure)(str(error))
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        name = f"{error.filename}: " if error.filename else ""
        return _Failure(f"{name}{error.strerror or error}")
    return None


def _summaries() -> dict[str, str]:
    """Return every command and its line in the list."""
    from .added import summaries

    return _COMMANDS | {name: text for name, text in summaries().items() if name not in _COMMANDS}
