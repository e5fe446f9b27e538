"""What stands in deploy/, read the way the programs it is for read it."""

import re
import shlex
from pathlib import Path
from typing import Any

import click
import yaml
from attrs import define

from jrr_core.cli import main

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


@define(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, continuation lines joined."""

    name: str
    text: str


def stages() -> list[list[Instruction]]:
    """Return the Dockerfile's instructions, stage by stage."""
    lines = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE).replace("\\\n", "")
    found: list[list[Instruction]] = []
    for line in filter(None, map(str.strip, lines.splitlines())):
        name, _, text = line.partition(" ")
        if name == "FROM":
            found.append([])
        found[-1].append(Instruction(name, text.strip()))
    return found


def unit(name: str) -> dict[str, list[str]]:
    """Return the keys of a systemd unit, `Section.Key`, each with its values in order."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in (DEPLOY / "systemd" / name).read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(f"{section}.{key}", []).append(value)
    return found


def load(path: str) -> Any:
    """Return a YAML file of deploy/."""
    return yaml.safe_load((DEPLOY / path).read_text("utf-8"))


def options_of(arguments: list[str]) -> dict[str, Any]:
    """Return the options of a command line of jrr, the program's name left out; click's error for one it has not."""
    context = click.Context(main)
    command = main.get_command(context, arguments[0])
    assert command is not None, arguments
    options, rest, _ = command.make_parser(click.Context(command)).parse_args(list(arguments[1:]))
    assert not rest, rest
    return options


def words(line: str) -> list[str]:
    """Return a command line's words."""
    return shlex.split(line)
