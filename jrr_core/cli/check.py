"""`jrr check`: everything a run needs, tried once, each finding with its cure."""

import asyncio
import sys
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal
from urllib.parse import urlsplit

import click
from attrs import asdict, define, evolve

from ..builder import ManagerBuilder
from ..capture import CaptureSettings
from ..config import Config
from ..errors import ConfigError, JrrError, ParseError
from ..exchange import Exchange
from ..fetch import FetchFailed
from ..network import host_of, reason_of
from ..plugins import Plugins
from ..rest import http_get
from ..sink import Sink
from ..subscription import Subscription
from ..transport import ConnectFailed, open_socket
from ..wire import encode
from .options import config_options, json_option, settings, subscribe_option
from .tell import tell

# The Date header has whole seconds, and the answer takes a while to come.
_CLOCK_TOLERANCE_S = 2.0
_PATIENCE_S = 20.0
_NETWORK = "check network, DNS and proxy, and the address in the settings"


@define(frozen=True)
class Finding:
    """One thing tried: how it went, and what to do if it did not go well."""

    state: Literal["ok", "warning", "error"]
    what: str
    text: str
    cure: str = ""


@click.command()
@json_option
@config_options
@subscribe_option
def check(
    as_json: bool,
    config_file: Path | None,
    plugins: str | None,
    overrides: tuple[str, ...],
    subscribe: tuple[str, ...],
) -> None:
    """Test settings, plugins, exchanges, subscriptions, store and clock.

    Without subscriptions every exchange of the loaded plugins is tried. Exit
    code 1 if something would keep a run from collecting, 2 if a setting is
    wrong.
    """
    config = settings(config_file, plugins, overrides, subscribe)
    loaded = Plugins.load(config.plugins)
    findings = asyncio.run(_check(config, loaded))
    if as_json:
        tell(encode([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            tell(f"{finding.state:<8} {finding.what}: {finding.text}")
            if finding.cure:
                tell(f"{'':<8} cure: {finding.cure}")
    sys.exit(1 if any(finding.state == "error" for finding in findings) else 0)


async def _check(config: Config, plugins: Plugins) -> list[Finding]:
    names = ", ".join(f"{plugin.name} {plugin.version}" for plugin in plugins.all)
    findings = [_check_subscribed(config)]
    findings.append(Finding("ok", "plugins", names) if names else _no_plugins())
    findings += [
        Finding("error", "plugins", str(error), "update or uninstall that distribution") for error in plugins.broken
    ]
    findings += _check_folder("capture", config.capture.path)
    findings += _check_folder("spool", config.spool.path)
    builder = ManagerBuilder(plugins=plugins, config=evolve(config, capture=CaptureSettings()))
    manager = await builder.build()
    wanted: dict[str, list[Subscription]] = {}
    for subscription in config.subscriptions:
        plugins.connector(subscription.exchange)
        wanted.setdefault(subscription.exchange, []).append(subscription)
    tried = [manager.exchanges[name] for name in wanted or manager.exchanges]
    for found in await asyncio.gather(
        *[_check_exchange(exchange, wanted.get(exchange.name, [])) for exchange in tried]
    ):
        findings += found
    for drain in manager.drains:
        findings.append(await _check_sink(drain.sink))
    return findings


def _check_subscribed(config: Config) -> Finding:
    if config.subscriptions:
        return Finding("ok", "settings", f"{len(config.subscriptions)} subscriptions")
    cure = "add [[subscribe]] tables to jrr.toml, or --subscribe exchange:channel:symbol to the command"
    return Finding("warning", "settings", "nothing is subscribed", cure)


def _no_plugins() -> Finding:
    return Finding("error", "plugins", "none is loaded", "install some, for example: pip install 'jrr-core[all]'")


def _check_folder(section: str, path: str) -> list[Finding]:
    if not path:
        return []
    folder = Path(path)
    existing = next((path for path in (folder, *folder.parents) if path.exists()), Path())
    try:
        # Permissions alone do not tell: root may do anything but write to a read-only file system.
        with TemporaryFile(dir=existing):
            return [Finding("ok", section, f"{folder} can be written")]
    except OSError as error:
        text = f"{folder} cannot be written: {error.strerror}"
        return [Finding("error", section, text, f"set {section}.path to another folder")]


async def _check_exchange(exchange: Exchange, wanted: Sequence[Subscription]) -> list[Finding]:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            findings = [*await _check_rest(exchange), *await _check_clock(exchange)]
        return [*findings, *await _check_lines(exchange, wanted)]
    except TimeoutError:
        return [Finding("error", exchange.name, f"no answer from its REST address in {_PATIENCE_S:g} s", _NETWORK)]


async def _check_rest(exchange: Exchange) -> list[Finding]:
    what = f"{exchange.name} REST"
    if not exchange.connector.instrument_requests():
        return []
    try:
        began = time.monotonic()
        listed = await exchange.load_instruments()
    except FetchFailed as failure:
        return [Finding("error", what, str(failure), f"{_NETWORK} (exchanges.{exchange.name}.rest_url)")]
    except ParseError as error:
        cure = f"is exchanges.{exchange.name}.rest_url the right address? If it is, update the plugin"
        return [Finding("error", what, str(error), cure)]
    return [Finding("ok", what, f"{len(listed):,} instruments in {time.monotonic() - began:.1f} s")]


async def _check_clock(exchange: Exchange) -> list[Finding]:
    url = exchange.around.settings.rest_url
    if not url:
        return []
    try:
        before = time.time()
        reply = await asyncio.to_thread(http_get, url, None, exchange.around.network)
        theirs = parsedate_to_datetime(reply.date or "").timestamp()
    except (FetchFailed, ValueError, ConfigError):
        # Not reachable is said by the REST finding; without a Date header there is nothing to compare.
        return []
    # The header is cut to whole seconds: its instant lies within the second that follows.
    ahead = max(before - (theirs + 1.0), 0.0) or min(time.time() - theirs, 0.0)
    what = f"{exchange.name} clock"
    if abs(ahead) <= _CLOCK_TOLERANCE_S:
        return [Finding("ok", what, f"agrees with {host_of(url)}")]
    text = f"this machine is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} {host_of(url)}"
    return [Finding("warning", what, text, "synchronise the clock (NTP): receive times are taken from it")]


async def _check_lines(exchange: Exchange, wanted: Sequence[Subscription]) -> list[Finding]:
    """Resolve and shard what is wanted, then open each address once."""
    what = f"{exchange.name} subscriptions"
    findings: list[Finding] = []
    try:
        lines = await exchange.subscribe(wanted or _sample(exchange))
    except ConfigError as error:
        return [Finding("error", what, str(error), "correct the subscription")] if wanted else findings
    if exchange.unresolved:
        patterns = ", ".join(map(str, exchange.unresolved))
        findings.append(Finding("warning", what, f"{patterns} cannot be resolved without the list of instruments"))
    elif wanted:
        findings.append(Finding("ok", what, f"{len(exchange.wanted):,} streams on {len(lines)} connections"))
    urls = dict.fromkeys(line.plan.url for line in lines)
    if not urls:
        findings.append(await _check_host(exchange))
    for url in urls:
        findings.append(await _check_socket(exchange, url))
    return findings


def _sample(exchange: Exchange) -> Sequence[Subscription]:
    """Return one stream of the exchange, to learn the address behind it; none where no symbol is known."""
    listed = exchange.instruments.by_symbol.values() if exchange.instruments is not None else ()
    return [Subscription(exchange.name, "trade", item.symbol) for item in listed if item.active][:1]


async def _check_socket(exchange: Exchange, url: str) -> Finding:
    what = f"{exchange.name} WebSocket"
    try:
        began = time.monotonic()
        around = exchange.around
        socket = await open_socket(url, around.settings.connect_timeout_s, network=around.network)
        took_s = time.monotonic() - began
        await socket.close()
    except (ConnectFailed, ConfigError) as failure:
        return Finding("error", what, str(failure), f"{_NETWORK} (exchanges.{exchange.name}.ws_url)")
    return Finding("ok", what, f"{host_of(url)} answered in {took_s:.1f} s")


async def _check_host(exchange: Exchange) -> Finding:
    """Reach the host where no stream is known to ask for: its paths depend on the streams."""
    what, url, around = f"{exchange.name} WebSocket", urlsplit(exchange.around.settings.ws_url), exchange.around
    secure = url.scheme == "wss"
    port, tls, timeout_s = (
        url.port or (443 if secure else 80),
        around.network.tls if secure else None,
        around.settings.connect_timeout_s,
    )
    try:
        proxy = around.network.proxy_for(url.geturl())
        async with asyncio.timeout(timeout_s):
            if proxy is None:
                _, writer = await asyncio.open_connection(url.hostname, port, ssl=tls)
            else:
                way = await proxy.open(url.hostname or "", port, timeout_s)
                _, writer = await asyncio.open_connection(
                    sock=way, ssl=tls, server_hostname=url.hostname if tls else None
                )
            writer.close()
            await writer.wait_closed()
    except (OSError, ValueError) as error:
        text = f"cannot reach {host_of(url.geturl())}: {reason_of(error)}"
        return Finding("error", what, text, f"{_NETWORK} (exchanges.{exchange.name}.ws_url)")
    return Finding("ok", what, f"{host_of(url.geturl())} can be reached")


async def _check_sink(sink: Sink) -> Finding:
    what = f"store {sink.name}"
    try:
        await sink.open()
    except JrrError as error:
        return Finding("error", what, str(error), f"correct [sinks.{sink.name}], or start the store")
    except Exception as error:
        # A sink is plugin code: what it should not raise is a finding too.
        return Finding("error", what, f"{type(error).__name__}: {error}", "tell the author of the plugin")
    finally:
        await sink.close()
    return Finding("ok", what, "opens and can be written")
