"""What kills a mutant: the suite of its kind, run over it test by test until one fails by the rule it breaks."""

import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import pytest
from attrs import define

from jrr_core.testing.contract import PAGE
from tests.conformance import suites
from tests.conformance.mutants import books, connectors, parsers, simulators, sinks, subscribers
from tests.conformance.reference.connector import HarbourConnector

KINDS: dict[ModuleType, tuple[type, str]] = {
    parsers: (suites.ReferenceParser, "parser"),
    books: (suites.ReferenceParser, "parser"),
    connectors: (suites.ReferenceConnector, "connector"),
    simulators: (suites.ReferenceSimulator, "script"),
    sinks: (suites.ReferenceSink, "sink"),
    subscribers: (suites.ReferenceSubscriber, "subscriber"),
}
_anchor = re.compile(rf"{re.escape(PAGE)}#([a-z-]+)")


@define(frozen=True)
class Kill:
    """The test that failed and the rule it named."""

    test: str
    rule: str


def mutants(module: ModuleType) -> list[type]:
    """Return the wrong plugins of a module, in the order they are written."""
    found = [item for item in vars(module).values() if inspect.isclass(item) and item.__module__ == module.__name__]
    return [item for item in found if hasattr(item, "rule") or hasattr(item, "survives")]


@cache
def kill(mutant: type) -> Kill | None:
    """Return what kills a mutant: by the rule it says it breaks if that fails, else by the first; None if nothing."""
    first = None
    for found in _failures(mutant):
        if found.rule == getattr(mutant, "rule", None):
            return found
        first = first or found
    return first


def _failures(mutant: type) -> Iterator[Kill]:
    suite = _suite(mutant)
    for name in _tests(type(suite), getattr(mutant, "rule", "")):
        try:
            _run(getattr(suite, name))
        except pytest.skip.Exception:
            continue
        except Exception as error:
            named = _anchor.search(str(error))
            yield Kill(name, named[1] if named else type(error).__name__)


def _tests(suite: type, rule: str) -> list[str]:
    """Return the names of a suite's tests, first those that speak of the rule."""
    names = dict.fromkeys(name for kind in suite.__mro__ for name in vars(kind) if name.startswith("test_"))
    return sorted(names, key=lambda name: f'"{rule}"' not in inspect.getsource(getattr(suite, name)))


def _suite(mutant: type) -> Any:
    """Return the suite with the mutant in the place of the right plugin."""
    module = inspect.getmodule(mutant)
    assert module is not None
    suite, place = KINDS[module]
    changes: dict[str, Any] = {place: mutant}
    if place == "script":
        where = f"{mutant.__module__}:{mutant.__name__}"
        changes["connector"] = type("Connector", (HarbourConnector,), {"simulator": where})
    return type(suite.__name__, (suite,), changes)()


def _run(test: Any) -> None:
    if "tmp_path" in inspect.signature(test).parameters:
        with TemporaryDirectory() as folder:
            test(Path(folder))
    else:
        test()
