"""Installed plugins: found by their entry points in group "jrr", and what they offer by exchange and by name.

One that cannot be used never stops another. There is no module-level plugin
manager: each `Plugins.load` starts afresh.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from .connector import Connector
from .errors import ConfigError, PluginError
from .hookspecs import PROJECT
from .loading import KINDS, Kind, Plugin, Tell, load, origin, silent
from .parser import Parser
from .sink import Sink
from .subscriber import Subscriber

T = TypeVar("T")
_package_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*").fullmatch


def installed() -> list[tuple[str, str, str]]:
    """Return (name, distribution, version) of every installed plugin, by name; imports none of them."""
    return [(entry.name, *origin(entry)) for entry in _entries()]


class Plugins:
    """The loaded plugins and what they offer, by exchange and by name.

    `broken` holds a PluginError for each plugin that could not be used when
    all were asked for; a plugin asked for by name raises instead.
    """

    def __init__(self, loaded: Iterable[Plugin] = (), broken: Iterable[PluginError] = ()) -> None:
        """Index `loaded`; raises PluginError where two offer the same exchange or name."""
        self.all: tuple[Plugin, ...] = ()
        self.broken: list[PluginError] = list(broken)
        self.connectors: Mapping[str, type[Connector]] = {}
        self.parsers: Mapping[str, type[Parser]] = {}
        self.sinks: Mapping[str, type[Sink]] = {}
        self.subscribers: Mapping[str, type[Subscriber]] = {}
        for plugin in loaded:
            self._add(plugin)

    @classmethod
    def load(cls, names: Sequence[str] | None = None, tell: Tell = silent, *, keep_broken: bool = False) -> "Plugins":
        """Import the plugins named, or all that are installed, and return what they offer; `tell` hears each step.

        Raises ConfigError for a name that is not installed, PluginError for
        a named plugin that cannot be used. With `names` None, or with
        `keep_broken`, the unusable ones are left out and kept in `broken`.
        """
        found: dict[str, list[EntryPoint]] = {}
        for entry in _entries():
            found.setdefault(entry.name, []).append(entry)
        plugins = cls()
        for name in found if names is None else dict.fromkeys(names):
            if name not in found:
                raise ConfigError(_not_installed(name, list(found)))
            try:
                plugins._add(load(found[name], tell))
            except PluginError as error:
                tell(name, f"cannot be used: {error}")
                if names is not None and not keep_broken:
                    raise
                plugins.broken.append(error)
        return plugins

    def connector(self, exchange: str) -> type[Connector]:
        """Return the connector class of an exchange; raises ConfigError listing the exchanges there are."""
        return self._find(self.connectors, exchange, "exchange")

    def sink(self, name: str) -> type[Sink]:
        """Return the sink class of that name; raises ConfigError listing the sinks there are."""
        return self._find(self.sinks, name, "sink")

    def subscriber(self, name: str) -> type[Subscriber]:
        """Return the subscriber class of that name; raises ConfigError listing those there are."""
        return self._find(self.subscribers, name, "subscriber")

    def _add(self, plugin: Plugin) -> None:
        offers = {kind.offers: self._merged(kind, plugin) for kind in KINDS}
        for name, classes in offers.items():
            setattr(self, name, classes)
        self.all = (*self.all, plugin)

    def _merged(self, kind: Kind, plugin: Plugin) -> dict[str, Any]:
        known: dict[str, Any] = dict(getattr(self, kind.offers))
        for offered in getattr(plugin, kind.offers):
            name = getattr(offered, kind.identity)
            if name in known:
                owner = next((p for p in self.all if known[name] in getattr(p, kind.offers)), plugin)
                raise PluginError(
                    f"{kind.noun} {name!r} is offered by {owner.distribution} ({known[name].__qualname__}) and by "
                    f"{plugin.distribution} ({offered.__qualname__}); uninstall one of them, or pick one with "
                    "--plugins or `plugins = [...]`"
                )
            known[name] = offered
        return known

    def _find(self, known: Mapping[str, type[T]], name: str, noun: str) -> type[T]:
        if name in known:
            return known[name]
        loaded = {plugin.name for plugin in self.all}
        near = get_close_matches(name, known, n=1)
        text = f"no loaded plugin offers the {noun} {name!r}"
        text += f"; did you mean {near[0]}?" if near else "."
        text += f" {noun.capitalize()}s there are: {', '.join(sorted(known)) or 'none'}."
        waiting = [plugin for plugin, _, _ in installed() if plugin not in loaded and name.startswith(plugin)]
        if waiting:
            causes = [str(error) for error in self.broken if f"plugin {waiting[0]} " in str(error)]
            text += f" Plugin {waiting[0]} may have it: "
            text += causes[0] if causes else "it is installed but not loaded; add it to --plugins or `plugins = [...]`."
        elif not near:
            text += " `jrr plugins` lists what each plugin offers."
        raise ConfigError(text)


def _entries() -> list[EntryPoint]:
    return sorted(entry_points(group=PROJECT), key=lambda entry: (entry.name, origin(entry)))


def _not_installed(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    text = f"no plugin {name!r} is installed"
    text += f"; did you mean {near[0]}?" if near else ";"
    text += f" installed: {', '.join(known) or 'none'}."
    if _package_name(name):
        text += f" To install it: pip install jrr-{name}"
    return text
