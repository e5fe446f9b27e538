"""The page of all settings, written from the settings classes: core's own and those of plugins.

`python -m jrr_core.testing.settings_page NAME... > docs/configuration.md`
writes it for the plugins named, or for all that are installed.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from ..alarms import AlarmSettings
from ..capture import CaptureSettings
from ..config import ControlSettings, LogSettings, RunSettings, SubscribeTable
from ..observe.settings import MetricsSettings
from ..plan import PlanSettings
from ..plugins import Plugins
from ..route import NetworkSettings
from ..spool import SpoolSettings

_HEAD = """\
# Configuration

Settings come from, later ones winning: defaults, `jrr.toml` in the working
directory (or the file given by `-c`), `.env` in the working directory,
environment variables, and `--set KEY=VALUE`. The same setting in each form:

| where | how |
|---|---|
| `jrr.toml` | `[sinks.NAME]` and under it `path = "market.db"` |
| `.env`, environment | `JRR_SINKS__NAME__PATH=market.db` (a `-` in a name is written `_`) |
| command line | `--set sinks.NAME.path=market.db` |

Lists are written with commas outside the file: `JRR_PLUGINS=one,two`. An
unknown key is an error that names the nearest known one. Secrets never appear
in logs and errors.

`plugins` is the list of plugins to load; without it all installed ones are.
Of several stores those that need setting up are written to; one that needs none
is used when there is no other.

A file to start from:

```toml
plugins = ["EXCHANGE", "STORE"]

[[subscribe]]
exchange = "EXCHANGE"
channels = ["trade", "book"]
symbols = ["BTC-USDT"]

[[subscribe]]
exchange = "EXCHANGE"
native = ["a stream as the exchange names it"]

[log]
level = "info"
```
"""


def page(plugins: Plugins) -> str:
    """Return the page as Markdown, for core and the plugins loaded."""
    parts = [_HEAD]
    parts += [
        _section(title, cls)
        for title, cls in (
            ("[[subscribe]]", SubscribeTable),
            ("[run]", RunSettings),
            ("[network]", NetworkSettings),
            ("[spool]", SpoolSettings),
            ("[capture]", CaptureSettings),
            ("[control]", ControlSettings),
            ("[metrics]", MetricsSettings),
            ("[alarms]", AlarmSettings),
            ("[log]", LogSettings),
            ("[plan]", PlanSettings),
        )
    ]
    offered: Mapping[str, Mapping[str, Any]] = {
        "exchanges": plugins.connectors,
        "sinks": plugins.sinks,
        "subscribers": plugins.subscribers,
    }
    for kind, classes in offered.items():
        parts += [_section(f"[{kind}.{name}]", cls.Settings) for name, cls in sorted(classes.items())]
    return "\n".join(parts)


def _section(title: str, settings: type[Any]) -> str:
    attrs.resolve_types(settings)
    rows = [_row(attribute) for attribute in attrs.fields(settings) if attribute.init]
    body = ["| key | form | default | meaning |", "|---|---|---|---|", *rows] if rows else ["It has no settings."]
    return "\n".join([f"## `{title}`", "", *body, ""])


def _row(attribute: "attrs.Attribute[Any]") -> str:
    text = attribute.metadata.get("help", "")
    if attribute.metadata.get("secret"):
        text = f"{text} A secret."
    cells = (f"`{attribute.alias}`", _form(attribute.type), _default(attribute), text)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(attribute: "attrs.Attribute[Any]") -> str:
    default: Any = attribute.default
    if default is attrs.NOTHING:
        return "must be set"
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # typed as a function, is a class
        default = default.factory()
    if default is None or default == "" or default in ([], (), {}):
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _form(kind: Any) -> str:
    plain = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in inner)
    if origin in (Union, UnionType):
        return " or ".join(_form(member) for member in inner if member is not NoneType)
    if origin in (list, tuple, set, frozenset):
        return f"list of {_form(inner[0])}"
    if origin in (Mapping, dict):
        return f"table of {_form(inner[1])}s"
    return plain.get(kind, getattr(kind, "__name__", "any").lower())


def main(names: Iterable[str]) -> None:
    """Write the page to standard output."""
    chosen: Sequence[str] | None = list(names) or None
    sys.stdout.write(page(Plugins.load(chosen)))


if __name__ == "__main__":
    main(sys.argv[1:])
