"""What reads the frames of a captured exchange: its connector and parsers, made as the run made them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define, fields

from ..config import Config, structure
from ..connector import Connector, ExchangeSettings, Numbering
from ..frame import Frame
from ..instrument import Instrument
from ..parser import Parser
from ..plugins import Plugins
from ..subscription import Subscription


@define(frozen=True)
class Source:
    """How the frames of one exchange are read.

    `most` is the size of the largest hole a run asks for: what is larger it
    tells at once as lost.
    """

    parser: Callable[[Sequence[Subscription] | None], Parser]
    instruments: Callable[[Frame], Sequence[Instrument]] = lambda frame: ()
    numbering: Mapping[str | None, Numbering] = {}
    most: int = 0


class Sources:
    """Makes the Source of each exchange, by a parser plugin for the exchange, else by its connector.

    An exchange whose plugin is not among `plugins` is looked for among all
    installed. Settings of a capture hold where `config` says nothing else.
    """

    def __init__(self, plugins: Plugins, config: Config) -> None:
        """Make nothing yet."""
        self._plugins = plugins
        self._config = config

    def __call__(self, exchange: str, captured: Mapping[str, Any] | None = None) -> Source:
        """Return the source of an exchange; raises ConfigError where nothing installed knows it.

        `captured` are the settings the frames were collected with, None where
        nobody tells.
        """
        plugins = self._plugins
        if exchange not in plugins.parsers and exchange not in plugins.connectors:
            plugins = Plugins.load()
        own: Any = plugins.parsers.get(exchange)
        if own is not None and exchange not in plugins.connectors:
            return Source(own)
        connector, most = self._connector(plugins, exchange, captured)
        numbering = getattr(connector, "trade_numbering", {})
        return Source(connector.parser if own is None else own, connector.instruments, numbering, most)

    def connector(self, exchange: str) -> Connector:
        """Return the connector of an exchange; raises ConfigError where nothing installed has one."""
        plugins = self._plugins if exchange in self._plugins.connectors else Plugins.load()
        return self._connector(plugins, exchange, None)[0]

    def _connector(self, plugins: Plugins, exchange: str, captured: Mapping[str, Any] | None) -> tuple[Connector, int]:
        """Return a connector, and the size of the largest hole that a run asks for."""
        cls = plugins.connector(exchange)
        known = {field.name for field in fields(cls.Settings)}
        raw = {name: value for name, value in (captured or {}).items() if name in known}
        raw.update(self._config.exchanges.get(exchange, {}))
        settings: ExchangeSettings = structure(cls.Settings, raw, f"exchanges.{exchange}")
        return cls(settings), 0 if captured is None else settings.backfill_events
