"""Puts a Manager together from plugins and settings."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict, evolve

from .bus import Bus
from .capture import Capture
from .config import Config, structure
from .connector import Connector, ExchangeSettings
from .continuity import Continuity
from .counters import ExchangeCounters
from .desk import Desk
from .drain import drain_from
from .errors import ConfigError
from .exchange import Exchange
from .fetch import Fetch
from .journal import say_seldom
from .lookout.lookout import Lookout
from .manager import Manager
from .observe.address import address_of
from .observe.settings import MetricsSettings
from .pace import Budget
from .parser import Parser
from .plugins import Plugins
from .quarantine import Quarantine
from .route import Network, NetworkSettings
from .session import Surroundings
from .setting import shown_settings
from .shard import Shard
from .sink import Sink
from .spool import Spool, SpoolSettings, folder_of
from .stream import StreamBoard
from .subscription import Subscription
from .tape import Ruled


class ManagerBuilder:
    """Collects exchanges, sinks and subscribers by name, then builds the Manager.

    `storage` is a settings object of an installed sink (for example its
    StorageConfig); without one, and without `add_sink`, the installed store
    that needs no set-up is used. `plugins` are those loaded (default: all
    installed). `config` brings settings, as the command line reads them;
    with it every exchange of the plugins is available, and stored into is
    every sink of the plugins it names, or, where it names none, every sink it
    has a section for.
    """

    def __init__(self, storage: Any = None, *, plugins: Plugins | None = None, config: Config | None = None) -> None:
        """Start with nothing added."""
        self._plugins = Plugins.load() if plugins is None else plugins
        self._config = config or Config()
        self._exchanges: dict[str, dict[str, Any]] = {}
        self._sinks: list[Sink] = []
        self._subscribers: dict[str, dict[str, Any]] = {}
        self._metrics: MetricsSettings | None = None
        self._sharers = 1
        if config is not None:
            self._exchanges = {name: dict(config.exchanges.get(name, {})) for name in self._plugins.connectors}
            self._refuse_unknown_sections(config)
            self._subscribers = {name: dict(config.subscribers.get(name, {})) for name in self._plugins.subscribers}
            for name in self._plugins.sinks:
                if config.plugins is not None or name in config.sinks:
                    self.add_sink(name)
        if storage is not None:
            self._sinks.append(self._sink_of(storage))

    def __getattr__(self, name: str) -> "Callable[..., ManagerBuilder]":
        """Resolve `add_<name>(**settings)` to the exchange, or the exchanges of the plugin, of that name."""
        if not name.startswith("add_"):
            raise AttributeError(name)
        return lambda **settings: self._add_named(name.removeprefix("add_"), settings)

    def add_exchange(self, name: str, **settings: Any) -> "ManagerBuilder":
        """Make an exchange available under its settings; raises ConfigError naming those there are."""
        self._plugins.connector(name)
        self._exchanges[name] = {**self._config.exchanges.get(name, {}), **settings}
        return self

    def add_sink(self, sink: str | Sink, **settings: Any) -> "ManagerBuilder":
        """Store into this sink too: an installed one by name, or a Sink object of your own.

        Raises ConfigError for unknown names and settings.
        """
        if isinstance(sink, str):
            cls = self._plugins.sink(sink)
            raw = {**self._config.sinks.get(sink, {}), **settings}
            sink = cls(structure(cls.Settings, raw, f"sinks.{sink}"))
        self._sinks.append(sink)
        return self

    def add_subscriber(self, name: str, **settings: Any) -> "ManagerBuilder":
        """Feed an installed subscriber; for a callable of your own use `Manager.add_subscriber`."""
        self._plugins.subscriber(name)
        self._subscribers[name] = {**self._config.subscribers.get(name, {}), **settings}
        return self

    def set_spool(self, **settings: Any) -> "ManagerBuilder":
        """Set where and how much is kept on disk while a sink is away: settings of `[spool]`; `path=""` for nowhere.

        Raises ConfigError for unknown settings.
        """
        raw = {**asdict(self._config.spool), **settings}
        self._config = evolve(self._config, spool=structure(SpoolSettings, raw, "spool"))
        return self

    def check(self) -> None:
        """Raise the ConfigError for settings that do not fit, without building anything of them."""
        for name, raw in self._exchanges.items():
            structure(self._plugins.connector(name).Settings, raw, f"exchanges.{name}")
        for name, raw in self._subscribers.items():
            structure(self._plugins.subscriber(name).Settings, raw, f"subscribers.{name}")

    def set_network(self, **settings: Any) -> "ManagerBuilder":
        """Set the way to the exchanges: settings of `[network]`; `proxy="none"` for the direct one.

        Raises ConfigError for unknown settings.
        """
        raw = {**asdict(self._config.network), **settings}
        self._config = evolve(self._config, network=structure(NetworkSettings, raw, "network"))
        return self

    def set_metrics(self, **settings: Any) -> "ManagerBuilder":
        """Show metrics, health and stats over HTTP while the manager runs: settings of `[metrics]`.

        Without this call nothing listens. Raises ConfigError for unknown
        settings and an address that is none.
        """
        raw = {**asdict(self._config.metrics), **settings}
        self._metrics = structure(MetricsSettings, raw, "metrics")
        if self._metrics.listen:
            address_of(self._metrics.listen, "metrics.listen")
        return self

    def share_limits(self, sharers: int) -> "ManagerBuilder":
        """Keep to a part of what exchanges allow per address: so many processes behind one address share it.

        Raises ConfigError for a sink whose store several processes may not write to.
        """
        for sink in self.sinks() if sharers > 1 else ():
            if not getattr(sink, "several_writers", False):
                raise ConfigError(
                    f"sink {sink.name}: its store takes one writing process at a time, so {sharers} workers cannot "
                    "share it; run with --workers 1, or with a sink that takes several (--plugins, `plugins = [...]`)"
                )
        self._sharers = sharers
        return self

    async def build(self) -> Manager:
        """Return the Manager, not yet started; raises ConfigError for settings that do not fit."""
        config, bus = self._config, Bus()
        quarantine = Quarantine(Path(config.run.quarantine), config.run.quarantine_max_bytes)
        drains = [
            drain_from(bus, sink, config.run.buffer_events, quarantine.keep, spool)
            for sink, spool in self.spooled_sinks()
        ]
        capture = Capture(config.capture) if config.capture.path else None
        budgets: dict[str, Budget] = {}
        network = Network(config.network)
        exchanges = {
            name: self._exchange(name, raw, bus, quarantine, capture, budgets, network)
            for name, raw in self._exchanges.items()
        }
        manager = Manager(bus, exchanges, drains, quarantine, capture, instance=config.run.instance,
                          buffer_events=config.run.buffer_events, stop_timeout_s=config.run.stop_timeout_s)  # fmt: skip
        if self._metrics is not None and self._metrics.listen:
            # Only a run that listens pays for an HTTP server in memory.
            from .observe.server import Observer

            address = address_of(self._metrics.listen, "metrics.listen")
            manager.observer = Observer(address, manager.get_stats, self._metrics.symbols)
        folders = [Path(), *[Path(p) for p in (config.spool.path, config.capture.path, config.run.quarantine) if p]]
        lookout = Lookout(config.alarms, exchanges.values(), manager.pulse, manager.alarms,
                          folders=folders, spool_max_bytes=config.spool.max_bytes)  # fmt: skip
        manager.beside(lookout.run, "lookout")
        for name, raw in self._subscribers.items():
            cls = self._plugins.subscriber(name)
            manager.add_notifier(cls(structure(cls.Settings, raw, f"subscribers.{name}")))
        return manager

    def sinks(self) -> Sequence[Sink]:
        """Return the sinks added, or the installed ones that need no set-up; none is opened."""
        return self._sinks or self._embedded()

    def spooled_sinks(self) -> Iterator[tuple[Sink, Spool | None]]:
        """Yield each sink with its spool, None where there is to be none; the folder of a second "x" is "x-2"."""
        settings, seen = self._config.spool, Counter[str]()
        for sink in self.sinks():
            if hasattr(sink, "instance"):
                sink.instance = self._config.run.instance
            seen[sink.name] += 1
            own = sink.name if seen[sink.name] == 1 else f"{sink.name}-{seen[sink.name]}"
            yield sink, Spool(folder_of(settings.path, own), settings) if settings.path else None

    def _add_named(self, name: str, settings: dict[str, Any]) -> "ManagerBuilder":
        dashed = name.replace("_", "-")
        plugin = next((p for p in self._plugins.all if p.name in (name, dashed)), None)
        exchanges = [cls.exchange for cls in plugin.connectors] if plugin is not None else []
        if not exchanges or dashed in self._plugins.connectors:
            self.add_exchange(dashed, **settings)
        for other in exchanges:
            if other not in self._exchanges:
                self.add_exchange(other, **({} if dashed in self._plugins.connectors else settings))
        return self

    def _sink_of(self, storage: Any) -> Sink:
        for cls in self._plugins.sinks.values():
            if isinstance(storage, cls.Settings):
                return cls(storage)
        raise ConfigError(
            f"no installed sink takes settings of class {type(storage).__name__}; "
            f"installed sinks: {', '.join(sorted(self._plugins.sinks)) or 'none'}"
        )

    def _embedded(self) -> Sequence[Sink]:
        """Return the stores that need no set-up, for a run that names none."""
        plugins = self._plugins
        if not any(cls.embedded for cls in plugins.sinks.values()):
            plugins = Plugins.load()
        return [
            cls(structure(cls.Settings, self._config.sinks.get(name, {}), f"sinks.{name}"))
            for name, cls in plugins.sinks.items()
            if cls.embedded
        ]

    def _exchange(
        self,
        name: str,
        raw: Mapping[str, Any],
        bus: Bus,
        quarantine: Quarantine,
        capture: Capture | None,
        budgets: dict[str, Budget],
        network: Network,
    ) -> Exchange:
        cls = self._plugins.connector(name)
        settings: ExchangeSettings = structure(cls.Settings, raw, f"exchanges.{name}")
        connector = cls(settings)
        for pool, rate in connector.limits.http.items():
            budgets.setdefault(pool, Budget(rate.shared_by(self._sharers)))
        own = {pool: budgets[pool] for pool in connector.limits.http}
        fetch = Fetch(name, own, lambda text: say_seldom(30, "fetch_failed", name, f"{name}: {text}; trying again",
                                                             exchange=name), network)  # fmt: skip
        numbering = getattr(connector, "trade_numbering", {})
        desk = Desk(name, StreamBoard(), Continuity(name, numbering, settings.backfill_events), ExchangeCounters(),
                    bus.publish, quarantine.keep, capture)  # fmt: skip
        if capture is not None:
            capture.act(Ruled(name, time.time_ns(), shown_settings(settings)))
        around = Surroundings(
            settings=settings,
            messages=connector.limits.messages,
            desk=desk,
            fetch=fetch.get,
            network=network,
            sharers=self._sharers,
        )
        shard = Shard.parse(self._config.run.shard)
        return Exchange(connector, self._parser_maker(connector), around, fetch, bus.publish, shard)

    def _parser_maker(self, connector: Connector) -> Callable[[Sequence[Subscription]], Parser]:
        """Return how a session's parser is made: by a parser plugin for the exchange, else by the connector."""
        cls: Any = self._plugins.parsers.get(connector.exchange)
        return connector.parser if cls is None else lambda subscriptions: cls(subscriptions)

    def _refuse_unknown_sections(self, config: Config) -> None:
        """Raise ConfigError for a section of nothing installed; plugins this run leaves out may have theirs."""
        loaded = self._plugins
        for name in config.exchanges:
            (loaded if name in loaded.connectors else Plugins.load()).connector(name)
        for name in config.sinks:
            (loaded if name in loaded.sinks else Plugins.load()).sink(name)
        for name in config.subscribers:
            (loaded if name in loaded.subscribers else Plugins.load()).subscriber(name)
