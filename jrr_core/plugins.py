"""Installed plugins: found by their entry points in group "jrr", imported one by one, asked once what they offer.

A plugin that cannot be imported or breaks a contract becomes a PluginError
that names its distribution; it never stops another plugin. There is no
module-level plugin manager: each `Plugins.load` starts afresh.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

import attrs
import click
import pluggy
from attrs import define, field

from . import hookspecs
from .connector import Connector
from .errors import ConfigError, PluginError
from .parser import Parser
from .sink import Sink
from .subscriber import Subscriber

T = TypeVar("T")
_HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("jrr_"))
_package_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*").fullmatch


@define(frozen=True)
class Plugin:
    """One loaded plugin: its entry-point name, where it comes from, and the classes it handed over."""

    name: str
    distribution: str
    version: str
    connectors: tuple[type[Connector], ...] = ()
    parsers: tuple[type[Parser], ...] = ()
    sinks: tuple[type[Sink], ...] = ()
    subscribers: tuple[type[Subscriber], ...] = ()
    add_commands: Callable[[click.Group], None] = field(default=lambda cli: None, repr=False, eq=False)


@define(frozen=True)
class _Kind:
    """One kind of class a plugin can offer: its hook, its contract, and the attribute that names each class."""

    offers: str
    hook: str
    contract: type
    identity: str
    noun: str
    settings: bool = True


_KINDS = (
    _Kind("connectors", "jrr_connectors", Connector, "exchange", "exchange"),
    _Kind("parsers", "jrr_parsers", Parser, "exchange", "parser for exchange", settings=False),
    _Kind("sinks", "jrr_sinks", Sink, "name", "sink"),
    _Kind("subscribers", "jrr_subscribers", Subscriber, "name", "subscriber"),
)


def installed() -> list[tuple[str, str, str]]:
    """Return (name, distribution, version) of every installed plugin, by name; imports none of them."""
    return [(entry.name, *_origin(entry)) for entry in _entries()]


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
    def load(cls, names: Sequence[str] | None = None) -> "Plugins":
        """Import the plugins named, or all that are installed, and return what they offer.

        Raises ConfigError for a name that is not installed, PluginError for
        a named plugin that cannot be used. With `names` None the unusable
        ones are left out and kept in `broken`.
        """
        found: dict[str, list[EntryPoint]] = {}
        for entry in _entries():
            found.setdefault(entry.name, []).append(entry)
        plugins = cls()
        for name in found if names is None else dict.fromkeys(names):
            if name not in found:
                raise ConfigError(_not_installed(name, list(found)))
            try:
                plugins._add(_load(found[name]))
            except PluginError as error:
                if names is not None:
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
        offers = {kind.offers: self._merged(kind, plugin) for kind in _KINDS}
        for name, classes in offers.items():
            setattr(self, name, classes)
        self.all = (*self.all, plugin)

    def _merged(self, kind: _Kind, plugin: Plugin) -> dict[str, Any]:
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
    return sorted(entry_points(group=hookspecs.PROJECT), key=lambda entry: (entry.name, _origin(entry)))


def _origin(entry: EntryPoint) -> tuple[str, str]:
    if entry.dist is None or not entry.dist.metadata["Name"]:
        return "(unknown distribution)", ""
    return entry.dist.name, entry.dist.version


def _not_installed(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    text = f"no plugin {name!r} is installed"
    text += f"; did you mean {near[0]}?" if near else ";"
    text += f" installed: {', '.join(known) or 'none'}."
    if _package_name(name):
        text += f" To install it: pip install jrr-{name}"
    return text


def _load(entries: list[EntryPoint]) -> Plugin:
    entry = entries[0]
    distribution, version = _origin(entry)
    who = f"plugin {entry.name} (distribution {distribution} {version})"
    if len(entries) > 1:
        others = " and ".join(_origin(other)[0] for other in entries)
        raise PluginError(f"plugin {entry.name} is offered by {others}; uninstall one of them")
    try:
        module = entry.load()
    except (Exception, SystemExit) as error:
        # Importing runs the author's code, which may raise anything.
        raise PluginError(f"{who} cannot be imported: {type(error).__name__}: {error}") from error
    hooks = _registered(module, who)
    offers = {kind.offers: _ask(hooks, kind, who) for kind in _KINDS}
    return Plugin(entry.name, distribution, version, **offers, add_commands=_commands(hooks, who))


def _registered(module: object, who: str) -> pluggy.HookRelay:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module)
        manager.check_pending()
    except (pluggy.PluginValidationError, ValueError) as error:
        callers = manager.get_hookcallers(module) or ()
        unknown = [caller.name for caller in callers if not caller.has_spec()]
        if not unknown:
            raise PluginError(f"{who} has a wrong hook: {error}") from None
        near = get_close_matches(unknown[0], _HOOKS, n=1, cutoff=0.0)
        raise PluginError(f"{who} has a hook jrr does not know, {unknown[0]}; did you mean {near[0]}?") from None
    implemented = {caller.name for caller in manager.get_hookcallers(module) or ()}
    for name in _HOOKS:
        if inspect.isroutine(getattr(module, name, None)) and name not in implemented:
            raise PluginError(f"{who} defines {name} without @hookimpl of jrr_core.hookspecs, so it is never called")
    return manager.hook


def _call(hooks: pluggy.HookRelay, name: str, who: str, **arguments: object) -> list[Any]:
    try:
        results: list[Any] = getattr(hooks, name)(**arguments)
    except Exception as error:
        # A hook is the author's code, which may raise anything.
        raise PluginError(f"{who}: {name} failed: {type(error).__name__}: {error}") from error
    for result in results:
        if inspect.iscoroutine(result):
            result.close()
            raise PluginError(f"{who}: {name} is `async def`; hooks are ordinary functions")
    return results


def _ask(hooks: pluggy.HookRelay, kind: _Kind, who: str) -> tuple[type, ...]:
    results = _call(hooks, kind.hook, who)
    try:
        offered = [item for result in results for item in result]
    except Exception as error:
        # What a hook returns may be a generator, so this too runs the author's code.
        raise PluginError(f"{who}: {kind.hook} failed: {type(error).__name__}: {error}") from error
    for item in offered:
        _check(item, kind, f"{who}: {kind.hook} returned {item!r}")
    return tuple(offered)


def _check(item: object, kind: _Kind, what: str) -> None:
    if not isinstance(item, type):
        raise PluginError(f"{what}, which is not a class")
    name = getattr(item, kind.identity, None)
    if not isinstance(name, str) or not name:
        raise PluginError(f"{what}, which lacks the class attribute `{kind.identity}` (text)")
    methods = [method for method, value in vars(kind.contract).items() if inspect.isfunction(value)]
    missing = [method for method in methods if method[0] != "_" and not callable(getattr(item, method, None))]
    if missing:
        raise PluginError(f"{what}, which lacks {', '.join(missing)} of the {kind.contract.__name__} contract")
    if kind.settings and not attrs.has(getattr(item, "Settings", type(None))):
        raise PluginError(f"{what}, whose class attribute `Settings` is not an attrs class")


def _commands(hooks: pluggy.HookRelay, who: str) -> Callable[[click.Group], None]:
    def add(cli: click.Group) -> None:
        _call(hooks, "jrr_commands", who, cli=cli)

    return add
