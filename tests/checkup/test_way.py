"""The stage of the way to a host that fails is named, each with its own cure."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trustme

from jrr_core.checkup.way import Stage, failing_stage
from jrr_core.route import Network, NetworkSettings


def stage_of(url: str, reason: str = "it failed", settings: NetworkSettings | None = None) -> Stage:
    return asyncio.run(failing_stage(url, Network(settings), 0.5, "exchanges.toy.ws_url", reason))


@asynccontextmanager
async def listening(tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    """Listen, and say nothing."""

    open_ones: list[asyncio.StreamWriter] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.append(writer)
        with suppress(OSError):
            await reader.read()

    async with await asyncio.start_server(silent, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]
        for writer in open_ones:
            writer.close()
        # What failed in its handshake is let go of by the loop a little later.
        await asyncio.sleep(0.05)


def test_a_name_nobody_knows_is_dns() -> None:
    found = stage_of("wss://no-such-host.invalid")
    assert found.name == "DNS"
    assert "no-such-host.invalid: the name cannot be looked up" in found.reason
    assert "exchanges.toy.ws_url" in found.cure


def test_a_port_nobody_listens_at_is_tcp() -> None:
    found = stage_of("ws://127.0.0.1:9")
    assert (found.name, found.reason) == ("TCP", "cannot reach 127.0.0.1:9: connection refused")
    assert "firewall" in found.cure


@pytest.mark.parametrize("certified", [True, False])
def test_a_certificate_nobody_trusts_and_a_host_that_speaks_no_tls_are_tls(certified: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    async def main() -> Stage:
        async with listening(context if certified else None) as port:
            return await failing_stage(f"wss://127.0.0.1:{port}", Network(), 0.5, "key", "it failed")

    found = asyncio.run(main())
    assert found.name == "TLS"
    assert ("its certificate is not trusted" if certified else "no answer in time") in found.reason
    assert "network.ca_file" in found.cure


def test_behind_an_open_way_it_is_the_protocol() -> None:
    async def main() -> Stage:
        async with listening(None) as port:
            return await failing_stage(f"ws://127.0.0.1:{port}", Network(), 0.5, "key", "no answer in time")

    assert asyncio.run(main()) == Stage("HTTP", "no answer in time", "is key the right address?")


@pytest.mark.parametrize(
    ("status", "cure"), [(451, "regional address"), (403, "firewall"), (404, "path"), (418, "banned"), (429, "wait")]
)
def test_refusals_say_what_they_mean(status: int, cure: str) -> None:
    found = stage_of("wss://127.0.0.1:9", f"127.0.0.1:9 refused the connection: HTTP {status}")
    assert found.name == f"HTTP {status}"
    assert cure in found.cure


def test_through_a_proxy_the_proxy_is_named_without_its_password() -> None:
    found = stage_of("wss://example.org", "it failed", NetworkSettings(proxy="http://me:secret@127.0.0.1:1"))
    assert found.name == "proxy"
    assert "127.0.0.1:1" in found.cure
    assert "secret" not in found.cure
