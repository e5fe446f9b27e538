"""jrr: live crypto market data, collected so that it can be trusted.

    from jrr_core import ManagerBuilder

is the way in from Python; `jrr` is the way in from the command line.
"""

from typing import TYPE_CHECKING, Any

from .errors import ConfigError, JrrError, ParseError, PluginError, SinkRejected, SinkUnavailable
from .events import Message

if TYPE_CHECKING:
    from .builder import ManagerBuilder
    from .manager import Manager

__all__ = [
    "ConfigError", "JrrError", "Manager", "ManagerBuilder", "Message", "ParseError", "PluginError",
    "SinkRejected", "SinkUnavailable", "__version__",
]  # fmt: skip

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load the runtime only for those who use it: plugins and parsers need none of it."""
    if name == "ManagerBuilder":
        from .builder import ManagerBuilder

        return ManagerBuilder
    if name == "Manager":
        from .manager import Manager

        return Manager
    raise AttributeError(name)
