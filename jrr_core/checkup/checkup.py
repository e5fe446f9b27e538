"""The whole: what is tried, in which order."""

import asyncio
from collections.abc import Sequence

from attrs import evolve

from ..builder import ManagerBuilder
from ..capture import CaptureSettings
from ..config import Config
from ..errors import ConfigError
from ..exchange import Exchange
from ..plan import costs, streams_of, total
from ..plugins import Plugins
from ..sink import Sink
from ..subscription import Subscription
from .exchanges import check_exchange
from .finding import Finding
from .machine import check_descriptors, check_disk, check_folder, check_libraries, check_ports
from .stores import check_store
from .trial import check_delivery


async def checkup(config: Config, plugins: Plugins) -> list[Finding]:
    """Return what is found of settings, plugins, machine, exchanges, stores.

    Raises ConfigError for a setting that nothing can be tried with.
    """
    findings = [_check_subscribed(config), *_check_plugins(plugins)]
    findings += [*check_folder("capture", config.capture.path), *check_folder("spool", config.spool.path)]
    findings += check_ports(config)
    findings.append(check_libraries(config))
    builder = ManagerBuilder(plugins=plugins, config=evolve(config, capture=CaptureSettings()))
    findings += _check_workers(builder, config.run.workers)
    manager = await builder.build()
    wanted: dict[str, list[Subscription]] = {}
    for subscription in config.subscriptions:
        plugins.connector(subscription.exchange)
        wanted.setdefault(subscription.exchange, []).append(subscription)
    tried = [manager.exchanges[name] for name in wanted or manager.exchanges]
    for found in await asyncio.gather(
        *[check_exchange(exchange, wanted.get(exchange.name, []), config.alarms.clock_s) for exchange in tried]
    ):
        findings += found
    broken = {finding.what.partition(" ")[0] for finding in findings if finding.state == "error"}
    able = [exchange for exchange in tried if wanted and exchange.name not in broken]
    findings += await check_delivery(config, plugins, [s for each in able for s in each.wanted.values()])
    findings.append(check_descriptors(sum(len(exchange.lines) for exchange in tried)))
    for drain in manager.drains:
        findings.append(await check_store(drain.sink))
        findings += check_disk(drain.sink, _bytes_per_day(config, tried, drain.sink) if wanted else None)
    return findings


def _check_subscribed(config: Config) -> Finding:
    if config.subscriptions:
        return Finding("ok", "settings", f"{len(config.subscriptions)} subscriptions")
    cure = "add [[subscribe]] tables to jrr.toml, or --subscribe exchange:channel:symbol to the command"
    return Finding("warning", "settings", "nothing is subscribed", cure)


def _check_plugins(plugins: Plugins) -> list[Finding]:
    names = ", ".join(f"{plugin.name} {plugin.version}" for plugin in plugins.all)
    none = Finding("error", "plugins", "none is loaded", "install some, for example: pip install 'jrr-core[all]'")
    findings = [Finding("ok", "plugins", names) if names else none]
    return findings + [
        Finding("error", "plugins", str(error), "update or uninstall that distribution") for error in plugins.broken
    ]


def _check_workers(builder: ManagerBuilder, count: int) -> list[Finding]:
    """Find whether so many workers may write to the stores, and have the exchanges' limits shared by them."""
    if count == 1:
        return []
    try:
        builder.share_limits(count)
    except ConfigError as error:
        return [Finding("error", "workers", str(error), "set run.workers = 1, or choose another store")]
    return [Finding("ok", "workers", f"{count} processes may write to every store")]


def _bytes_per_day(config: Config, exchanges: Sequence[Exchange], sink: Sink) -> float | None:
    """Return what the subscriptions bring into a store by `jrr plan`, None where it cannot be told."""
    rows = getattr(sink, "row_bytes", {})
    kept: list[float | None] = []
    for exchange in exchanges:
        own = [each for each in config.subscriptions if each.exchange == exchange.name]
        try:
            streams, uncounted = streams_of(exchange.connector, exchange.instruments, own, config.plan)
        except ConfigError:
            # A subscription that cannot be served is a finding already.
            return None
        if uncounted:
            return None
        fixed = {exchange.name: getattr(exchange.connector, "fixed_rates", {})}
        kept += [cost.fresh for cost in costs(streams, config.plan, fixed, rows)]
    return total(kept)
