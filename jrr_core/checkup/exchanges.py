"""One exchange: its list of instruments, its clock, its addresses, its limits, and whether it delivers."""

import asyncio
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from ..errors import ConfigError, ParseError
from ..exchange import Exchange
from ..fetch import FetchFailed
from ..line import Line
from ..network import host_of
from ..rest import http_get
from ..subscription import Subscription
from ..transport import ConnectFailed, open_socket
from .finding import Finding
from .way import failing_stage

# The Date header has whole seconds, and the answer takes a while to come.
_DATE_TOLERANCE_S = 2.0
_PATIENCE_S = 20.0
# All that is subscribed should be so within this time.
_SOON_S = 120.0


async def check_exchange(exchange: Exchange, wanted: Sequence[Subscription], clock_s: float) -> list[Finding]:
    """Return what is found of an exchange within half a minute; more than `clock_s` off is a wrong clock."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            findings = [*await _check_rest(exchange), *await _check_clock(exchange, clock_s)]
        return [*findings, *await _check_lines(exchange, wanted)]
    except TimeoutError:
        text = f"no answer from its REST address in {_PATIENCE_S:g} s"
        return [Finding("error", exchange.name, text, f"check network, proxy and exchanges.{exchange.name}.rest_url")]


async def _check_rest(exchange: Exchange) -> list[Finding]:
    what, key = f"{exchange.name} REST", f"exchanges.{exchange.name}.rest_url"
    if not exchange.connector.instrument_requests():
        return []
    try:
        began = time.monotonic()
        listed = await exchange.load_instruments()
    except FetchFailed as failure:
        return [await _unreachable(exchange, what, exchange.around.settings.rest_url, key, str(failure))]
    except ParseError as error:
        return [Finding("error", what, str(error), f"is {key} the right address? If it is, update the plugin")]
    return [Finding("ok", what, f"{len(listed):,} instruments in {time.monotonic() - began:.1f} s")]


async def _unreachable(exchange: Exchange, what: str, url: str, key: str, reason: str) -> Finding:
    """Return the finding about an address that cannot be used, by the stage of the way that fails."""
    around = exchange.around
    stage = await failing_stage(url, around.network, around.settings.connect_timeout_s, key, reason)
    return Finding("error", what, f"{stage.name}: {stage.reason}", stage.cure)


async def _check_clock(exchange: Exchange, most_s: float) -> list[Finding]:
    """Compare the clocks by the exchange's time, else by the Date header of its REST address."""
    offset_s = await exchange.measure_clock()
    least_s = most_s
    if offset_s is None:
        offset_s, least_s = await _offset_by_date(exchange), max(most_s, _DATE_TOLERANCE_S)
    if offset_s is None:
        return []
    what, host = f"{exchange.name} clock", host_of(exchange.around.settings.rest_url)
    if abs(offset_s) <= least_s:
        return [Finding("ok", what, f"agrees with {host} to {abs(offset_s) * 1e3:.0f} ms")]
    amount = f"{abs(offset_s):.1f}" if abs(offset_s) < 10 else f"{abs(offset_s):.0f}"
    text = f"this machine is {amount} s {'ahead of' if offset_s > 0 else 'behind'} {host}"
    return [Finding("warning", what, text, "synchronise the clock (NTP): receive times are taken from it")]


async def _offset_by_date(exchange: Exchange) -> float | None:
    url = exchange.around.settings.rest_url
    if not url:
        return None
    try:
        before = time.time()
        reply = await asyncio.to_thread(http_get, url, None, exchange.around.network)
        theirs = parsedate_to_datetime(reply.date or "").timestamp()
    except (FetchFailed, ValueError, ConfigError):
        # Not reachable is said by the REST finding; without a Date header there is nothing to compare.
        return None
    # The header is cut to whole seconds: its instant lies within the second that follows.
    return max(before - (theirs + 1.0), 0.0) or min(time.time() - theirs, 0.0)


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
        findings.append(Finding("warning", what, f"{patterns} cannot be resolved without the list of instruments",
                                "first mend what is said of its REST address"))  # fmt: skip
    elif wanted:
        findings.append(_load(exchange, lines))
    addresses = {line.plan.url: line.plan.headers for line in lines}
    for url, headers in (addresses or {exchange.around.settings.ws_url: {}}).items():
        findings.append(await _check_socket(exchange, url, headers, only_host=not addresses))
    return findings


def _load(exchange: Exchange, lines: Sequence[Line]) -> Finding:
    """Return what the subscriptions ask of the exchange's limits, and how long it takes until all are made."""
    what, limits = f"{exchange.name} subscriptions", exchange.connector.limits
    messages = max([len(line.plan.subscribe(line.plan.subscriptions)) for line in lines], default=0)
    soon_s = len(lines) * limits.connects.per_s / limits.connects.count
    soon_s += messages * limits.messages.per_s / limits.messages.count
    text = f"{len(exchange.wanted):,} streams on {len(lines)} connections"
    full = [line for line in lines if line.plan.max_streams and len(line.plan.subscriptions) > line.plan.max_streams]
    if full:
        return Finding("error", what, f"{text}; {len(full)} carry more than the exchange allows",
                       "update the plugin: it must share them out")  # fmt: skip
    if soon_s > _SOON_S:
        return Finding("warning", what, f"{text}; all subscribed after {soon_s / 60:.0f} minutes, by its limits",
                       "share them out over several instances with addresses of their own (--shard)")  # fmt: skip
    return Finding("ok", what, text + (f", all subscribed after {soon_s:.0f} s" if soon_s >= 5 else ""))


def _sample(exchange: Exchange) -> Sequence[Subscription]:
    """Return one stream of the exchange, to learn the address behind it; none where no symbol is known."""
    listed = exchange.instruments.by_symbol.values() if exchange.instruments is not None else ()
    return [Subscription(exchange.name, "trade", item.symbol) for item in listed if item.active][:1]


async def _check_socket(exchange: Exchange, url: str, headers: object, only_host: bool) -> Finding:
    """Open an address; of one whose path is not known (`only_host`) the handshake may be refused, its host not."""
    what, key, around = f"{exchange.name} WebSocket", f"exchanges.{exchange.name}.ws_url", exchange.around
    try:
        began = time.monotonic()
        socket = await open_socket(url, around.settings.connect_timeout_s, headers, network=around.network)  # type: ignore[arg-type]
        took_s = time.monotonic() - began
        await socket.close()
    except ConnectFailed as failure:
        if only_host and failure.answered and "HTTP 4" in str(failure):
            return Finding("ok", what, f"{host_of(url)} can be reached")
        return await _unreachable(exchange, what, url, key, str(failure))
    except ConfigError as error:
        return Finding("error", what, str(error), f"correct {key}")
    path = urlsplit(url).path
    return Finding("ok", what, f"{host_of(url)}{path if len(path) < 40 else ''} answered in {took_s:.1f} s")
