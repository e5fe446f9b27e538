"""Every command and option is on the page of the command line, and the commands that pages show exist."""

import re
import shlex
from pathlib import Path

import click
import pytest

from jrr_core.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text("utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")])
CONTEXT = click.Context(main)
COMMANDS = {name: main.get_command(CONTEXT, name) for name in main.list_commands(CONTEXT)}

_shown = re.compile(r"^[ \t]*((?:\S*/)?(?:jrr|make) [^\n]*)", re.MULTILINE)
_inline = re.compile(r"`((?:jrr|make) [^`\n]+)`")
_targets = re.compile(r"^([a-z]+):", re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_options_are_documented_and_no_others(name: str) -> None:
    section = _section(f"jrr {name}")
    if "#shared-options" in section:
        section += _section("Shared options")
    written = set(re.findall(r"--[a-z][a-z-]*", _first_cells(section)))
    assert written == _options(name) - {"--help"}


def test_no_command_is_documented_that_does_not_exist() -> None:
    assert set(re.findall(r"^## jrr (\S+)$", PAGE, re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_shown_on_pages_exist(page: Path) -> None:
    text = page.read_text("utf-8").replace("\\\n", " ")
    blocks = "\n".join(re.findall(r"^ *```[a-z]*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL))
    targets = set(_targets.findall((ROOT / "Makefile").read_text("utf-8")))
    for shown in [*_shown.findall(blocks), *_inline.findall(text)]:
        words = shlex.split(shown, comments=True)
        program, *rest = words
        if program.endswith("make"):
            assert {word for word in rest if "=" not in word} <= targets, shown
            continue
        names = [word for word in rest[:1] if not word.startswith("-") and word.islower()]
        for name in names:
            assert name in COMMANDS, shown
            command = COMMANDS[name]
            if isinstance(command, click.Group):
                assert {word for word in rest[1:2] if not word.startswith("-")} <= set(command.commands), shown
            unknown = {word.split("=")[0] for word in rest[1:] if word.startswith("--")} - _options(name)
            assert not unknown, f"{shown}: {unknown}"


def _options(name: str) -> set[str]:
    """Return the options of a command, those of a group's own commands among them."""
    command = COMMANDS[name]
    assert command is not None
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    params = [param for one in (command, *inner) for param in one.params]
    return {text for option in params for text in option.opts if text.startswith("--")} | {"--help"}


def _section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/cli.md has no section {title!r}"
    return found[1]


def _first_cells(section: str) -> str:
    return "\n".join(line.split("|")[1] for line in section.splitlines() if line.startswith("|"))
