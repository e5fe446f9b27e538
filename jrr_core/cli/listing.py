"""Groups of commands that list where none of them is named: `jrr spool`, `jrr plugins`."""

import click


class ListsByDefault(click.Group):
    """A group with a command `list`, which options alone mean."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `list` in front of options."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)
