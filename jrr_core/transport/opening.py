"""Opening a WebSocket: the way there, by the library in use, and what hinders it in words a user can act on."""

import asyncio
import base64
import time
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit

from ..errors import ConfigError
from ..network import host_of, reason_of
from ..route import SYSTEM, Network
from .socket import NO_HEADERS, ConnectFailed, NoWebSocket, Refused, Socket


async def open_socket(
    url: str, timeout_s: float, headers: Mapping[str, str] = NO_HEADERS, network: Network = SYSTEM
) -> Socket:
    """Connect to `url`; raises ConnectFailed naming the host and why, ConfigError for an address that is none.

    `headers` are sent with the handshake. Redirects are not followed, since no
    exchange sends any, and nothing is compressed, since it costs CPU on both sides.
    """
    try:
        began, parts = time.monotonic(), urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.fragment:
            raise ValueError("its scheme, its host or its end is not one's")
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        sent = {**_authorization(parts), **headers}
        proxy, secure = network.proxy_for(url), parts.scheme == "wss"
        port = parts.port or (443 if secure else 80)
        way = None if proxy is None else await proxy.open(parts.hostname, port, timeout_s)
        async with asyncio.timeout(max(timeout_s - (time.monotonic() - began), 0.0)):
            if network.transport == "picows":
                from .swift import connect as swiftly

                return await swiftly(bare, sent, network.tls if secure else None, way)
            from .websocket import connect

            return await connect(bare, sent, network.tls if secure else None, way)
    # First of all: a certificate that fails is an OSError and a ValueError.
    except (OSError, TimeoutError) as error:
        raise ConnectFailed(f"cannot reach {host_of(url)}: {reason_of(error)}", answered=False) from None
    except ValueError as error:
        raise ConfigError(f"ws_url {url!r} is not a WebSocket address (ws:// or wss://): {error}") from None
    except Refused as refused:
        raise ConnectFailed(f"{host_of(url)} refused the connection: {refused}") from None
    except NoWebSocket as error:
        raise ConnectFailed(f"{host_of(url)} did not answer as a WebSocket server: {error}") from None


def _authorization(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
