"""`jrr plan`: what the configured subscriptions will cost, and how that compares with what a store has taken."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from attrs import Factory, define, evolve

from ..builder import ManagerBuilder
from ..capture import CaptureSettings
from ..config import Config
from ..errors import ConfigError, ParseError
from ..exchange import Exchange
from ..fetch import FetchFailed
from ..instrument import Instruments
from ..plan import PlanSettings, Stream, refuse_strangers, stored_streams, streams_of
from ..plugins import Plugins
from ..sink import Sink, StreamKey
from ..stocktake import Taken, stocktake
from ..store import Store
from ..subscription import Subscription
from ..volume import Measurable
from ..wire import encode
from .options import config_options, json_option, load_plugins, settings, subscribe_option
from .plan_table import Reckoning, comparison, expectation
from .tell import tell

_PATIENCE_S = 20.0


@define
class _Count:
    """What is subscribed, as streams; `notes` say what could not be read or counted, with the cure."""

    streams: list[Stream] = Factory(list)
    uncounted: dict[Subscription, str] = Factory(dict)
    notes: list[str] = Factory(list)


@click.command()
@click.option("--from-store", is_flag=True, help="Compare with what the store has taken.")
@json_option
@config_options
@subscribe_option
def plan(
    from_store: bool,
    as_json: bool,
    config_file: Path | None,
    plugins: str | None,
    overrides: tuple[str, ...],
    subscribe: tuple[str, ...],
) -> None:
    """Reckon the rows and bytes that the subscriptions bring per day and month.

    Typical rates, printed with their sources, times the store's row sizes.
    [plan] in the settings overrides both. With --from-store the plan is put
    beside what was stored already.
    """
    config = settings(config_file, plugins, overrides, subscribe)
    loaded = load_plugins(config)
    if not config.subscriptions:
        raise ConfigError(
            "nothing to collect: add --subscribe exchange:channel:symbol, or [[subscribe]] tables to jrr.toml"
        )
    refuse_strangers(config.plan, config.subscriptions)
    lines, found = asyncio.run(_plan(config, loaded, from_store))
    tell(*([encode(found)] if as_json else lines))


async def _plan(config: Config, plugins: Plugins, from_store: bool) -> tuple[list[str], dict[str, Any]]:
    """Return the page and the same as data."""
    for subscription in config.subscriptions:
        plugins.connector(subscription.exchange)
    manager = await ManagerBuilder(plugins=plugins, config=evolve(config, capture=CaptureSettings())).build()
    sinks = [drain.sink for drain in manager.drains]
    wanted = dict.fromkeys(subscription.exchange for subscription in config.subscriptions)
    exchanges = {name: manager.exchanges[name] for name in wanted}
    fixed = {name: getattr(exchange.connector, "fixed_rates", {}) for name, exchange in exchanges.items()}
    reckoning = Reckoning(config.plan, fixed)
    if not sinks:
        raise ConfigError("no store is configured or installed, so no bytes can be told; `jrr plugins` lists the sinks")
    if not from_store:
        count = await _count(exchanges, config.subscriptions, config.plan)
        return expectation(reckoning, sinks, count.streams, count.notes)
    sink, taken = await _take(sinks)
    # The store knows the symbols behind a pattern, so that their number need not be assumed.
    count = await _count(exchanges, config.subscriptions, evolve(config.plan, symbols={}), taken)
    return comparison(reckoning, sink, count.streams, taken, count.notes)


async def _count(
    exchanges: Mapping[str, Exchange],
    wanted: Sequence[Subscription],
    chosen: PlanSettings,
    stored: Mapping[StreamKey, Taken] | None = None,
) -> _Count:
    """Return the streams behind the subscriptions; `stored` stands in for a list that cannot be had."""
    count = _Count()
    listings = await asyncio.gather(*map(_listing, exchanges.values()))
    for exchange, (listed, note) in zip(exchanges.values(), listings, strict=True):
        count.notes += [note] if note else []
        own = [subscription for subscription in wanted if subscription.exchange == exchange.name]
        streams, uncounted = streams_of(exchange.connector, listed, own, chosen)
        count.streams += streams
        for subscription, cure in uncounted.items():
            found = stored_streams(exchange.connector, subscription, stored or ())
            count.streams += found
            if stored is None:
                count.notes.append(f"not counted: {subscription}; to count it set {cure}")
            elif not found:
                count.notes.append(f"not compared: {subscription}; the store holds none of its streams")
    return count


async def _listing(exchange: Exchange) -> tuple[Instruments | None, str]:
    """Return what the exchange lists; None where it cannot be had, and then why."""
    if not exchange.connector.instrument_requests():
        return None, ""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            listed = await exchange.load_instruments()
    except (FetchFailed, ParseError) as failure:
        return None, f"{exchange.name}: {failure}; symbols are taken as written"
    except TimeoutError:
        return None, f"{exchange.name}: no list of instruments in {_PATIENCE_S:g} s; symbols are taken as written"
    return listed if len(listed) else None, ""


async def _take(sinks: Sequence[Sink]) -> tuple[Sink, dict[StreamKey, Taken]]:
    """Return the one store that can be measured, and what it took of each stream."""
    names = ", ".join(sink.name for sink in sinks) or "none"
    able = [sink for sink in sinks if isinstance(sink, Measurable)]
    if len(able) > 1:
        raise ConfigError(f"several stores could be meant ({names}); name one with --plugins")
    if not able:
        raise ConfigError(f"no store that can be measured is configured (there is: {names}); name one with --plugins")
    (measured,) = able
    ranges = await measured.coverage() if isinstance(measured, Store) else ()
    return measured, stocktake(await measured.volume(), ranges)
