"""The scaffold of a plugin: a package of its own that runs and passes its tests before a line of it is edited.

Templates are the `*.tmpl` files of the folders beside this module, with
`$placeholders` of `string.Template` in texts and `PLUGIN` in paths. Whatever
cannot be made is refused before a file is written; nothing is overwritten.
"""

import importlib.util
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from attrs import define

from ..errors import ConfigError
from ..hookspecs import API_VERSION
from ..plugins import installed

_LONGEST_NAME = 20
_usable = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*").fullmatch
_TEMPLATE = ".tmpl"
# Holds one text for README.md, so it becomes no file of its own.
_GUIDE = "guide.md"


@define(frozen=True)
class Kind:
    """What a kind of plugin is (one line), the folders its files come from, and what to type once it is installed."""

    summary: str
    folders: tuple[str, ...]
    commands: tuple[str, ...]


_SIMULATE = "jrr simulate $name --port 8765"
_RUN = (
    "jrr run --subscribe $name:trade:BTC-USD --set exchanges.$name.ws_url=ws://127.0.0.1:8765"
    " --set exchanges.$name.rest_url=http://127.0.0.1:8765 --for 10s"
)

KINDS: Mapping[str, Kind] = {
    "exchange": Kind("Live market data of $Name", ("package", "parsing", "exchange"), (_SIMULATE, _RUN)),
    "parser": Kind(
        "Reads recorded market data of $Name",
        ("package", "parsing", "parser"),
        ("jrr replay recording.txt --exchange $name",),
    ),
    "sink": Kind(
        "The store $Name: market data as lines of JSON",
        ("package", "sink"),
        ("jrr run --subscribe EXCHANGE:trade:SYMBOL --set sinks.$name.path=market.jsonl --for 10s",),
    ),
    "subscriber": Kind(
        "The subscriber $Name: prints moves of prices",
        ("package", "subscriber"),
        ("jrr run --subscribe EXCHANGE:trade:SYMBOL --set subscribers.$name.percent=0.1 --for 10s",),
    ),
}


@define(frozen=True)
class Scaffold:
    """A package to be written: its folder, its files by path within it, and what to type afterwards."""

    folder: Path
    files: Mapping[str, str]
    commands: tuple[str, ...]

    def write(self) -> None:
        """Make the folder and write the files; raises ConfigError where the folder exists, OSError as the disk does."""
        try:
            self.folder.mkdir(parents=True)
        except FileExistsError:
            raise ConfigError(f"{self.folder} exists and is left as it is; choose another name or --path") from None
        for path, text in self.files.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")


def scaffold(name: str, kind: str, parent: Path) -> Scaffold:
    """Return the package jrr_<name> of that kind, to be written into `parent`.

    Raises ConfigError for a name that cannot be used, or is in use.
    """
    _check(name)
    known = KINDS[kind]
    values = _values(name)
    values["summary"] = Template(known.summary).substitute(values)
    commands = (
        'pip install --editable ".[testing]"',
        "pytest",
        *[Template(command).substitute(values) for command in known.commands],
    )
    values["commands"] = "\n".join(commands)
    values["guide"] = Template(_templates(known.folders[-1])[_GUIDE]).substitute(values).strip()
    texts = {path: text for folder in known.folders for path, text in _templates(folder).items() if path != _GUIDE}
    rendered = {
        path.replace("PLUGIN", values["package"]): Template(text).substitute(values) for path, text in texts.items()
    }
    return Scaffold(parent / values["package"], dict(sorted(rendered.items())), commands)


def _check(name: str) -> None:
    if not _usable(name) or len(name) > _LONGEST_NAME:
        raise ConfigError(
            f"{name!r} cannot be a plugin's name: take at most {_LONGEST_NAME} small letters, digits and single "
            "underscores, a letter first, such as my_exchange"
        )
    for known, distribution, number in installed():
        if known.replace("-", "_") == name:
            raise ConfigError(f"a plugin {known!r} is installed ({distribution} {number}); choose another name")
    if importlib.util.find_spec(f"jrr_{name}") is not None:
        raise ConfigError(f"a package jrr_{name} is installed; choose another name")


def _values(name: str) -> dict[str, str]:
    """Return what the templates ask for."""
    distribution = f"jrr-{name.replace('_', '-')}"
    major, minor = version("jrr-core").split(".")[:2]
    return {
        "name": name,
        "Name": "".join(part.capitalize() for part in name.split("_")),
        "package": f"jrr_{name}",
        "distribution": distribution,
        "core": f"jrr-core>={major}.{minor},<{major}.{int(minor) + 1}",
        "api": API_VERSION,
        "year": str(datetime.now(UTC).year),
        "holder": _user() or f"the authors of {distribution}",
    }


def _user() -> str:
    """Return the name git knows its user by, empty without git or without a name."""
    try:
        done = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def _templates(folder: str) -> dict[str, str]:
    """Return the texts of a folder of templates, by their path within it."""
    found: dict[str, str] = {}

    def walk(place: Traversable, path: str) -> None:
        for item in place.iterdir():
            if item.is_dir():
                walk(item, f"{path}{item.name}/")
            elif item.name.endswith(_TEMPLATE):
                found[path + item.name.removesuffix(_TEMPLATE)] = item.read_text("utf-8")

    walk(files(__name__) / folder, "")
    return found
