"""What the user set: `jrr.toml`, `.env`, environment and `--set`, merged in that order, as attrs settings.

Core's own sections are checked here; those of exchanges, sinks and subscribers
stay raw until the manager knows the classes behind them and calls `structure`.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Literal

from attrs import Factory, define, field, fields, validators

from .alarms import AlarmSettings
from .capture import CaptureSettings
from .control.settings import ControlSettings
from .dotenv import read_dotenv
from .errors import ConfigError
from .observe.settings import MetricsSettings
from .plan import PlanSettings
from .route import NetworkSettings
from .setting import setting
from .spool import SpoolSettings
from .structure import Section, Text, nearest, structure
from .subscription import CHANNELS, Subscription, short_channels

__all__ = [
    "AlarmSettings", "CaptureSettings", "Config", "ControlSettings", "LogSettings", "MetricsSettings",
    "NetworkSettings", "RunSettings", "SpoolSettings", "duration_s", "load_config", "structure",
]  # fmt: skip

FILE = "jrr.toml"
PREFIX = "JRR_"
# More processes than any machine has cores that collecting could fill.
MOST_WORKERS = 64
_NAMED = ("exchanges", "sinks", "subscribers")
_duration = re.compile(r"(?:([0-9]+(?:\.[0-9]+)?)h)?(?:([0-9]+(?:\.[0-9]+)?)m)?(?:([0-9]+(?:\.[0-9]+)?)s?)?").fullmatch


@define(kw_only=True)
class LogSettings:
    """The section `[log]`."""

    level: Literal["debug", "info", "warning", "error"] = setting("info", "Least severe messages that are logged.")
    format: Literal["text", "json"] = setting("text", "One line of text per message, or one JSON object.")


@define(kw_only=True)
class RunSettings:
    """The section `[run]`."""

    stop_timeout_s: float = setting(
        10.0,
        "Seconds the sinks have at stop to store what is buffered; the rest goes to the spool.",
        validator=validators.ge(0),
    )
    buffer_events: int = setting(
        200_000,
        "Events kept in memory per sink while it is slow or away; beyond a quarter of them the spool takes over.",
        validator=validators.ge(1),
    )
    instance: str = setting(
        "",
        "Name of this collector among several: a part of its control socket's and its folders' names, and in its log.",
        validator=validators.matches_re(r"[A-Za-z0-9_-]{0,32}"),
    )
    shard: str = setting(
        "", 'Part of the subscriptions to collect, of so many: "1/3", "2/3" or "3/3"; empty for all of them.'
    )
    loop: str = setting(
        "auto",
        'Event loop of `jrr run`: "uvloop", which `jrr-core[fast]` installs and which takes less CPU, "asyncio", or '
        '"auto": uvloop where it is installed.',
        validator=validators.in_(("auto", "asyncio", "uvloop")),
    )
    workers: int = setting(
        1,
        "Processes that share the subscriptions, each with its part, and are one collector to everybody.",
        validator=(validators.ge(1), validators.le(MOST_WORKERS)),
    )
    quarantine: str = setting(
        ".jrr/quarantine", "Folder that keeps refused frames and rows; made when it is first needed."
    )
    quarantine_max_bytes: int = setting(
        100_000_000, "Most bytes one run may put there; refused ones beyond it are only counted.",
        validator=validators.ge(0),
    )  # fmt: skip


@define(kw_only=True)
class Config:
    """All settings of one run.

    `plugins` None means every installed plugin. `exchanges`, `sinks` and
    `subscribers` map names to raw sections, which `structure` turns into
    each plugin's own settings class.
    """

    plugins: list[str] | None = None
    subscriptions: list[Subscription] = Factory(list)
    exchanges: dict[str, dict[str, Any]] = field(factory=dict, repr=False)
    sinks: dict[str, dict[str, Any]] = field(factory=dict, repr=False)
    subscribers: dict[str, dict[str, Any]] = field(factory=dict, repr=False)
    capture: CaptureSettings = Factory(CaptureSettings)
    log: LogSettings = Factory(LogSettings)
    network: NetworkSettings = Factory(NetworkSettings)
    metrics: MetricsSettings = Factory(MetricsSettings)
    alarms: AlarmSettings = Factory(AlarmSettings)
    run: RunSettings = Factory(RunSettings)
    spool: SpoolSettings = Factory(SpoolSettings)
    plan: PlanSettings = Factory(PlanSettings)
    control: ControlSettings = Factory(ControlSettings)


@define(kw_only=True)
class SubscribeTable:
    """One `[[subscribe]]` table: every channel of every symbol, and the exchange's own stream names."""

    exchange: str = setting("", "The exchange's name, as `jrr plugins` lists it.")
    channels: tuple[str, ...] = setting((), f"What to collect: {', '.join(short_channels())}.")
    symbols: tuple[str, ...] = setting(
        (), 'Native ("BTCUSDT") or canonical ("BTC-USDT") symbols, or patterns ("*USDT").'
    )
    native: tuple[str, ...] = setting((), "Stream names as the exchange writes them, passed through.")

    def subscriptions(self, where: str) -> list[Subscription]:
        """Return one Subscription per stream; raises ConfigError naming what is missing or unknown."""
        if not self.exchange:
            raise ConfigError(f'{where} lacks exchange = "..."')
        if bool(self.channels) != bool(self.symbols) or not (self.channels or self.native):
            raise ConfigError(f"{where} needs both channels and symbols, or native, to say what to collect")
        for channel in self.channels:
            if channel not in CHANNELS:
                hint = nearest(channel, CHANNELS) or ";"
                known = ", ".join(short_channels())
                raise ConfigError(f"{where}.channels: unknown channel {channel!r}{hint} channels: {known}")
        streams = [f"{channel}:{symbol}" for channel in self.channels for symbol in self.symbols]
        return [Subscription.parse(f"{self.exchange}:{stream}") for stream in (*streams, *self.native)]


_SECTIONS = ("plugins", "subscribe", *[f.name for f in fields(Config) if f.name not in ("plugins", "subscriptions")])


def load_config(
    path: Path | None = None,
    overrides: Sequence[str] = (),
    *,
    plugins: Sequence[str] | None = None,
    subscribe: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Config:
    """Return the settings from file, `.env`, environment and `overrides` (KEY=VALUE, dotted), later ones winning.

    `path` None reads `jrr.toml` in `folder` (the working directory) if it is
    there. `plugins` and `subscribe` (subscription texts), where given, take
    the place of those found. Raises ConfigError naming file, key, value and
    what is expected.
    """
    folder = Path() if folder is None else folder
    raw = _read_file(path, folder)
    for source, name, value in _from_environment(folder, os.environ if environ is None else environ):
        _put(raw, _path_of(name), Text(value, source))
    for override in overrides:
        _put(raw, *_from_override(override))
    return _config(raw, plugins, subscribe)


def duration_s(text: str) -> float:
    """Return the seconds a text like "15s", "2m", "1h30m", "0.5s" or "15" means; raises ConfigError otherwise."""
    match = _duration(text.strip().replace(" ", ""))
    parts = [float(part or 0) for part in match.groups()] if match else []
    if not parts or not any(match.groups() if match else ()):
        raise ConfigError(f"{text!r} is not a duration; write for example 15s, 2m, 1h30m or 0.5s")
    return parts[0] * 3600 + parts[1] * 60 + parts[2]


def _config(raw: Section, plugins: Sequence[str] | None, subscribe: Sequence[str]) -> Config:
    for key, value in raw.items():
        if key not in _SECTIONS:
            hint = nearest(key, _SECTIONS) or ";"
            raise ConfigError(
                f"{_origin(value) or raw.source}: unknown key {key!r}{hint} known: {', '.join(_SECTIONS)}"
            )
    found = raw.pop("subscribe", [])
    subscriptions = [Subscription.parse(text) for text in subscribe] or _subscriptions(found, raw.source)
    if plugins is not None:
        raw["plugins"] = list(plugins)
    for section in _NAMED:
        raw[section] = _named(section, raw.get(section, {}), raw.source, {s.exchange for s in subscriptions})
    if isinstance(plan := raw.get("plan"), Mapping):
        raw["plan"] = Section({key: _flat(value) for key, value in plan.items()}, _origin(plan))
    config = structure(Config, raw, "")
    _name_instance(config)
    config.subscriptions = list(dict.fromkeys(subscriptions))
    return config


def _name_instance(config: Config) -> None:
    """Put the instance's name into what two collectors in one folder must not share."""
    for section, key in ((config.control, "path"), (config.spool, "path"), (config.capture, "path"),
                         (config.run, "quarantine")):  # fmt: skip
        setattr(section, key, named_path(getattr(section, key), config.run.instance))


def named_path(path: str, name: str) -> str:
    """Return a path with the name of a collector put into it; as it is where either is empty."""
    found = Path(path)
    return str(found.with_name(f"{found.stem}-{name}{found.suffix}")) if name and found.name else path


def _flat(value: object) -> object:
    """Return a table with inner tables folded into dotted keys, as TOML and `--set` make them of `major.trade`."""
    if not isinstance(value, Mapping):
        return value
    flat = Section(source=_origin(value))
    for key, part in value.items():
        inner = _flat(part)
        flat.update(
            {f"{key}.{name}": leaf for name, leaf in inner.items()} if isinstance(inner, Section) else {key: inner}
        )
    return flat


def _origin(value: object) -> str:
    """Return where a value or the first value of a table came from."""
    source: str = getattr(value, "source", "")
    if not source and isinstance(value, Mapping) and value:
        return _origin(next(iter(value.values())))
    return source


def _named(section: str, tables: object, source: str, exchanges: Iterable[str]) -> dict[str, Section]:
    """Return the tables of a section by name, names of exchanges spelt as in the file or the subscriptions."""
    if not isinstance(tables, Mapping):
        raise ConfigError(f"{getattr(tables, 'source', source)}: {section} is not a table; write [{section}.NAME]")
    spelt = {name.replace("-", "_"): name for name in (*tables, *exchanges)}
    result: dict[str, Section] = {}
    for name, table in tables.items():
        if not isinstance(table, Mapping):
            raise ConfigError(f"{getattr(table, 'source', source)}: {section}.{name} is not a table of settings")
        known = spelt[name.replace("-", "_")] if section == "exchanges" else name
        result.setdefault(known, Section(source=source)).update(table)
    return result


def _subscriptions(found: object, source: str) -> list[Subscription]:
    if isinstance(found, Text):
        return [Subscription.parse(part.strip()) for part in found.split(",") if part.strip()]
    if not isinstance(found, list):
        raise ConfigError(f"{source}: subscribe is not a list; write [[subscribe]] before each table")
    result: list[Subscription] = []
    for number, item in enumerate(found, start=1):
        where = f"subscribe[{number}]"
        if isinstance(item, str):
            result.append(Subscription.parse(item))
        elif isinstance(item, Mapping):
            table = structure(SubscribeTable, Section(item, source), where)
            result += table.subscriptions(f"{source}: {where}")
        else:
            raise ConfigError(f"{source}: {where} is neither a table nor text like exchange:channel:symbol")
    return result


def _read_file(path: Path | None, folder: Path) -> Section:
    file = folder / FILE if path is None else path
    try:
        if path is None and not file.exists():
            return Section()
        return Section(tomllib.loads(file.read_text(encoding="utf-8")), str(file))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {file}: {error.strerror}") from None


def _from_environment(folder: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield (source, name, value) of every setting, `.env` first."""
    file = folder / ".env"
    for number, name, value, line in read_dotenv(folder):
        if value is None and line.startswith(PREFIX):
            raise ConfigError(f"{file} line {number} is not of the form {PREFIX}NAME=VALUE")
        if value is not None and _is_setting(name):
            yield f"{file} line {number}, {name}", name, value
    for name in sorted(environ):
        if _is_setting(name):
            yield f"environment {name}", name, environ[name]


def _is_setting(name: str) -> bool:
    """Whether a variable is meant as a setting: other tools' JRR_ names have neither a section nor a like name."""
    if not name.startswith(PREFIX):
        return False
    first, double, _ = name.removeprefix(PREFIX).lower().partition("__")
    return bool(double) or first in _SECTIONS or bool(nearest(first, _SECTIONS))


def _from_override(text: str) -> tuple[list[str], Text]:
    key, equals, value = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts):
        # The rest of the text may be a secret: only the key is repeated.
        shown = re.match(r"[\w.-]*", text)
        raise ConfigError(f"--set {shown[0] if shown else ''}: write KEY=VALUE, for example sinks.NAME.path=market.db")
    return parts, Text(value, f"--set {key}")


def _path_of(variable: str) -> list[str]:
    """Return the dotted path of JRR_SECTION__NAME__KEY; variables cannot have the "-" that exchange names have."""
    path = variable.removeprefix(PREFIX).lower().split("__")
    if path[0] == "exchanges" and len(path) > 1:
        path[1] = path[1].replace("_", "-")
    return path


def _put(raw: MutableMapping[str, Any], path: Sequence[str], value: Text) -> None:
    if not all(path):
        raise ConfigError(f"{value.source}: a part of the name is empty; write JRR_SECTION__KEY")
    table = raw
    for number, part in enumerate(path[:-1], start=1):
        inner = table.setdefault(part, Section())
        if not isinstance(inner, MutableMapping):
            raise ConfigError(f"{value.source}: {'.'.join(path[:number])} is not a table, so nothing can be set in it")
        table = inner
    table[path[-1]] = value
