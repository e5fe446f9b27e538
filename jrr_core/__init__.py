"""jrr: live crypto market data, collected so that it can be trusted.

    from jrr_core import ManagerBuilder

is the way in from Python; `jrr` is the way in from the command line.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import ConfigError, JrrError, ParseError, PluginError, SinkRejected, SinkUnavailable

if TYPE_CHECKING:
    from .builder import ManagerBuilder
    from .events import Message
    from .manager import Manager

__all__ = [
    "ConfigError", "JrrError", "Manager", "ManagerBuilder", "Message", "ParseError", "PluginError",
    "SinkRejected", "SinkUnavailable", "__version__",
]  # fmt: skip

__version__ = "0.1.0"

_HOMES = {"Manager": "manager", "ManagerBuilder": "builder", "Message": "events"}


def __getattr__(name: str) -> Any:
    """Load the runtime and the events only for those who use them: every import of a module passes here."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    """Name what is public, loaded or not."""
    return sorted({*globals(), *__all__})
