"""The way to a host, stage by stage: which of them fails, and what to do about it."""

import asyncio
import socket
import ssl
from contextlib import suppress
from urllib.parse import urlsplit

from attrs import define

from ..network import host_of, reason_of
from ..route import Network

_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_SECURE = frozenset({"https", "wss"})
# What exchanges and those in front of them refuse with, and what it means (RFC 9110, RFC 7725; docs of exchanges).
_CURES = {
    "HTTP 451": "the exchange does not serve this country: set its regional address, where it has one, in {key}",
    "HTTP 403": "a firewall, of the exchange or of yours, refuses this address: try {key} from another network",
    "HTTP 404": "there is no such path: check {key}",
    "HTTP 418": "this IP address is banned for a while: stop what asks too often, and wait",
    "HTTP 429": "too many requests from this IP address: wait, and see what else asks",
}


@define(frozen=True)
class Stage:
    """A stage of the way that fails: DNS, TCP, TLS, or the protocol behind them."""

    name: str
    reason: str
    cure: str


async def failing_stage(url: str, network: Network, timeout_s: float, key: str, reason: str) -> Stage:
    """Return which stage of the way to `url` fails; `reason` is what the whole failed with, `key` its setting."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)
    for words, cure in _CURES.items():
        if words in reason:
            return Stage(words, reason, cure.format(key=key))
    proxy = network.proxy_for(url)
    if proxy is not None:
        return Stage("proxy", reason, f"see that {proxy.origin} ({proxy}) is right, and that it lets through {host}")
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError) as error:
        return Stage("DNS", f"{host}: {reason_of(error)}", f"check the name in {key}, and this machine's DNS")
    addresses = ", ".join(dict.fromkeys(str(item[4][0]) for item in found[:4]))
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        where = f"{host_of(url)} ({addresses})" if addresses != host else host_of(url)
        return Stage("TCP", f"cannot reach {where}: {reason_of(error)}",
                     f"see that a firewall lets this machine through, or set network.proxy; check {key}")  # fmt: skip
    await _close(writer)
    if parts.scheme in _SECURE:
        try:
            async with asyncio.timeout(timeout_s):
                _, secured = await asyncio.open_connection(host, port, ssl=network.tls)
            await _close(secured)
        except (OSError, TimeoutError, ssl.SSLError) as error:
            return Stage("TLS", f"{host_of(url)}: {reason_of(error)}",
                         "see network.ca_file, this machine's clock, and what stands in between")  # fmt: skip
    return Stage("HTTP", reason, f"is {key} the right address?")


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
