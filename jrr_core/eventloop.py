"""The event loop of a run: uvloop where it is installed (`jrr-core[fast]`), asyncio's own elsewhere."""

import asyncio
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any, TypeVar

from .errors import ConfigError

_UVLOOP = "uvloop"
T = TypeVar("T")


def loop_in_use(wanted: str) -> str:
    """Return which loop "auto", "asyncio" or "uvloop" comes to here; raises ConfigError for one not installed."""
    if wanted == "asyncio":
        return wanted
    try:
        import_module(_UVLOOP)
    except ImportError as error:
        if wanted == _UVLOOP:
            raise ConfigError(
                f'run.loop = "uvloop": it cannot be loaded ({error}); pip install "jrr-core[fast]"'
            ) from None
        return "asyncio"
    return _UVLOOP


def run_on(loop: str, main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a loop as `loop_in_use` names it, like `asyncio.run`."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if loop == _UVLOOP:
        factory = import_module(_UVLOOP).new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)
