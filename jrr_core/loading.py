"""One plugin from its entry point: its versions checked, its module imported, its hooks asked once what they offer.

Whatever is wrong with it becomes a PluginError that names its distribution
and the cure; nothing here touches another plugin. Each step can be heard
(`Tell`), which is what `jrr plugins --trace` prints.
"""

import inspect
import time
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.metadata import EntryPoint, version
from types import ModuleType
from typing import Any

import attrs
import click
import pluggy
from attrs import define, field

from . import hookspecs
from .connector import Connector
from .errors import PluginError
from .parser import Parser
from .sink import Sink
from .subscriber import Subscriber

CORE = "jrr-core"
_HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("jrr_"))

Tell = Callable[[str, str], None]
"""Is told (plugin, what happened) of each step of loading."""


def silent(plugin: str, step: str) -> None:
    """Take a step and do nothing with it."""


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
class Kind:
    """One kind of class a plugin can offer: its hook, its contract, and the attribute that names each class."""

    offers: str
    hook: str
    contract: type
    identity: str
    noun: str
    settings: bool = True


KINDS = (
    Kind("connectors", "jrr_connectors", Connector, "exchange", "exchange"),
    Kind("parsers", "jrr_parsers", Parser, "exchange", "parser for exchange", settings=False),
    Kind("sinks", "jrr_sinks", Sink, "name", "sink"),
    Kind("subscribers", "jrr_subscribers", Subscriber, "name", "subscriber"),
)


def origin(entry: EntryPoint) -> tuple[str, str]:
    """Return the distribution of an entry point and its version."""
    if entry.dist is None or not entry.dist.metadata["Name"]:
        return "(unknown distribution)", ""
    return entry.dist.name, entry.dist.version


def load(entries: Sequence[EntryPoint], tell: Tell = silent) -> Plugin:
    """Load the plugin of one name from all entry points of that name; raises PluginError."""
    return _Loading(entries, tell).plugin()


class _Loading:
    """The steps of loading one plugin."""

    def __init__(self, entries: Sequence[EntryPoint], tell: Tell) -> None:
        self._entry = entries[0]
        self._name = self._entry.name
        self._distribution, self._version = origin(self._entry)
        self._who = f"plugin {self._name} (distribution {self._distribution} {self._version})"
        self._tell = tell
        for entry in entries:
            self._say(f"entry point {self._name} = {entry.value} of {' '.join(origin(entry))}".rstrip())
        if len(entries) > 1:
            others = " and ".join(origin(entry)[0] for entry in entries)
            raise PluginError(f"plugin {self._name} is offered by {others}; uninstall one of them")

    def plugin(self) -> Plugin:
        """Go through all steps."""
        self._fits_core()
        module = self._imported()
        self._fits_api(module)
        hooks = self._registered(module)
        offers = {kind.offers: self._ask(hooks, kind) for kind in KINDS}
        return Plugin(self._name, self._distribution, self._version, **offers, add_commands=self._commands(hooks))

    def _say(self, step: str) -> None:
        self._tell(self._name, step)

    def _fits_core(self) -> None:
        """Refuse a distribution that says itself that it does not go with this core: pip lets that come about."""
        needed = _needed_core(self._entry)
        if needed is None:
            self._say(f"its distribution asks for no version of {CORE}")
            return
        core = version(CORE)
        if not needed.contains(core, prereleases=True):
            raise PluginError(
                f"{self._who} needs {CORE}{needed}, and {core} is installed; get another version of either: "
                f"pip install --upgrade {self._distribution}, or pip install '{CORE}{needed}'"
            )
        self._say(f"needs {CORE}{needed}: {core} fits")

    def _imported(self) -> object:
        begun = time.perf_counter()
        try:
            module = self._entry.load()
        except (Exception, SystemExit) as error:
            # Importing runs the author's code, which may raise anything.
            raise PluginError(f"{self._who} cannot be imported: {type(error).__name__}: {error}") from error
        place = getattr(module, "__file__", None) or repr(module)
        self._say(f"imported {place} in {_took(begun)}")
        return module

    def _fits_api(self, module: object) -> None:
        """Refuse a plugin written for another plugin API; one that does not say is taken to be for the first."""
        said, ours = getattr(module, "jrr_api", None), hookspecs.API_VERSION
        found = (1, 0) if said is None else _pair(said)
        if found is None:
            raise PluginError(
                f"{self._who} says jrr_api = {said!r}; it must be the API the plugin was written for as text, "
                f'such as "{ours}"'
            )
        mine = _pair(ours)
        assert mine is not None
        if found[0] == mine[0] and found[1] <= mine[1]:
            self._say(f"written for plugin API {said or '1.0 (it does not say)'}: this core has {ours}")
            return
        newer = found > mine
        cure = f"pip install --upgrade {CORE}" if newer else f"pip install --upgrade {self._distribution}"
        age = "newer" if newer else "older"
        raise PluginError(
            f"{self._who} was written for plugin API {said}, which is {age} than the {ours} of {CORE} {version(CORE)}; "
            f"{cure}"
        )

    def _registered(self, module: object) -> pluggy.PluginManager:
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        try:
            manager.register(module)
            manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            callers = manager.get_hookcallers(module) or ()
            unknown = [caller.name for caller in callers if not caller.has_spec()]
            if unknown:
                raise self._unknown_hook(unknown[0]) from None
            raise PluginError(f"{self._who} has a wrong hook: {error}") from None
        implemented = {caller.name for caller in manager.get_hookcallers(module) or ()}
        for name in _functions(module):
            if name in implemented:
                continue
            if name not in _HOOKS:
                raise self._unknown_hook(name)
            raise PluginError(
                f"{self._who} defines {name} without @hookimpl of jrr_core.hookspecs, so it is never called"
            )
        self._say(f"hooks: {', '.join(sorted(implemented)) or 'none; it offers nothing'}")
        return manager

    def _unknown_hook(self, name: str) -> PluginError:
        near = get_close_matches(name, _HOOKS, n=1, cutoff=0.0)
        return PluginError(f"{self._who} has a hook jrr does not know, {name}; did you mean {near[0]}?")

    def _call(self, manager: pluggy.PluginManager, name: str, **arguments: object) -> list[Any]:
        """Call one hook and return what it gave; a hook that is not there gives nothing."""
        hook = getattr(manager.hook, name)
        if not hook.get_hookimpls():
            return []
        begun = time.perf_counter()
        try:
            results: list[Any] = hook(**arguments)
        except Exception as error:
            # A hook is the author's code, which may raise anything.
            self._say(f"{name}({', '.join(arguments)}) raised {type(error).__name__} in {_took(begun)}")
            raise PluginError(f"{self._who}: {name} failed: {type(error).__name__}: {error}") from error
        for result in results:
            if inspect.iscoroutine(result):
                result.close()
                raise PluginError(f"{self._who}: {name} is `async def`; hooks are ordinary functions")
        said = ", ".join(map(repr, results)) or "None"
        self._say(f"{name}({', '.join(arguments)}) -> {said} in {_took(begun)}")
        return results

    def _ask(self, manager: pluggy.PluginManager, kind: Kind) -> tuple[type, ...]:
        results = self._call(manager, kind.hook)
        if not results and getattr(manager.hook, kind.hook).get_hookimpls():
            raise PluginError(f"{self._who}: {kind.hook} returned None; it must return a list of classes")
        try:
            offered = [item for result in results for item in result]
        except Exception as error:
            # What a hook returns may be a generator, so this too runs the author's code.
            raise PluginError(f"{self._who}: {kind.hook} failed: {type(error).__name__}: {error}") from error
        for item in offered:
            name = _checked(item, kind, f"{self._who}: {kind.hook} returned {item!r}")
            self._say(f"{kind.noun} {name}: {item.__module__}.{item.__qualname__} has what {_contract(kind)} needs")
        return tuple(offered)

    def _commands(self, manager: pluggy.PluginManager) -> Callable[[click.Group], None]:
        def add(cli: click.Group) -> None:
            self._call(manager, "jrr_commands", cli=cli)

        return add


def _needed_core(entry: EntryPoint) -> Any:
    """Return which versions of the core the distribution asks for (a SpecifierSet), None where it does not say."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    for text in (entry.dist.requires or ()) if entry.dist is not None else ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if applies and canonicalize_name(requirement.name) == CORE:
            return requirement.specifier
    return None


def _pair(said: object) -> tuple[int, int] | None:
    """Read "1.0", None for anything else."""
    major, dot, minor = said.partition(".") if isinstance(said, str) else ("", "", "")
    plain = dot and all(part.isascii() and part.isdigit() for part in (major, minor))
    return (int(major), int(minor)) if plain else None


def _functions(module: object) -> list[str]:
    """Return the names of functions that look like hooks; of a module only those it defines itself."""
    home = module.__name__ if isinstance(module, ModuleType) else None
    return [
        name
        for name, value in inspect.getmembers(module, inspect.isroutine)
        if name.startswith("jrr_") and (name in _HOOKS or home in (None, value.__module__))
    ]


def _checked(item: Any, kind: Kind, what: str) -> str:
    """Return the name of a class on offer; raises PluginError where it lacks what its contract asks for."""
    if not isinstance(item, type):
        raise PluginError(f"{what}, which is not a class")
    name = getattr(item, kind.identity, None)
    if not isinstance(name, str) or not name:
        raise PluginError(f"{what}, which lacks the class attribute `{kind.identity}` (text)")
    methods = [method for method, value in vars(kind.contract).items() if inspect.isfunction(value)]
    missing = [method for method in methods if method[0] != "_" and not callable(getattr(item, method, None))]
    if missing:
        raise PluginError(f"{what}, which lacks {', '.join(missing)} of {_contract(kind)}")
    if kind.settings and not attrs.has(getattr(item, "Settings", type(None))):
        raise PluginError(f"{what}, whose class attribute `Settings` is not an attrs class")
    return name


def _contract(kind: Kind) -> str:
    return f"the {kind.contract.__name__} contract"


def _took(begun: float) -> str:
    return f"{(time.perf_counter() - begun) * 1000:.1f} ms"
