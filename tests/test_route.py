"""The way to a host: proxies that are there, away or refuse; certificates that are trusted or not; real servers."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme
from attrs import evolve

from jrr_core.config import load_config
from jrr_core.errors import ConfigError
from jrr_core.fetch import Fetch, FetchFailed
from jrr_core.frame import HttpGet
from jrr_core.redact import shown
from jrr_core.route import Network, NetworkSettings, Proxy
from jrr_core.structure import structure
from jrr_core.transport import ConnectFailed, open_socket
from tests.inbox import Inbox
from tests.proxies import NOWHERE, proxy_server
from tests.toy import ToyServer, says, toy_server

CREDENTIALS = ("user", "p@ss:")
SCHEMES = ("http", "socks5h")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority nobody trusts."""
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """What a server proves itself with, as 127.0.0.1 and as the host that does not exist."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", NOWHERE).configure_cert(context)
    return context


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The authority's certificate as a file."""
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return str(file)


def network(**settings: str) -> Network:
    return Network(NetworkSettings(**settings))


async def reached_by_websockets(server: ToyServer, way: Network, transport: str = "websockets") -> bytes | str:
    way = Network(evolve(way._settings, transport=transport))
    socket = await open_socket(server.url, 2.0, network=way)
    try:
        return await Inbox(socket).next()
    finally:
        await socket.close()


async def reached_by_picows(server: ToyServer, way: Network) -> bytes | str:
    return await reached_by_websockets(server, way, "picows")


async def reached_by_rest(server: ToyServer, way: Network) -> bytes | str:
    server.pages["/x"] = (200, "hello", {})
    return (await Fetch("toy", {}, network=way).try_get(HttpGet(f"{server.rest_url}/x", "tag"))).payload


Reach = Callable[[ToyServer, Network], Awaitable[bytes | str]]
each = pytest.mark.parametrize("reach", [reached_by_websockets, reached_by_picows, reached_by_rest])


@each
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("credentials", [None, CREDENTIALS])
def test_everything_goes_through_the_proxy(scheme: str, credentials: tuple[str, str] | None, reach: Reach) -> None:
    async def main() -> None:
        async with (
            toy_server(says("hello"), host=NOWHERE) as server,
            proxy_server(scheme, credentials=credentials) as p,
        ):
            assert await reach(server, network(proxy=p.address)) == b"hello"
            assert p.asked == [(NOWHERE, int(server.url.split(":")[2].partition("/")[0]))]
            assert p.carried > 50

    asyncio.run(main())


@each
@pytest.mark.parametrize("scheme", SCHEMES)
def test_tls_goes_through_the_proxy_to_the_host(
    scheme: str, reach: Reach, server_tls: ssl.SSLContext, ca_file: str
) -> None:
    async def main() -> None:
        async with toy_server(says("hello"), tls=server_tls, host=NOWHERE) as server, proxy_server(scheme) as p:
            assert await reach(server, network(proxy=p.address, ca_file=ca_file)) == b"hello"
            assert [host for host, _ in p.asked] == [NOWHERE]
            with pytest.raises((ConnectFailed, FetchFailed), match=r"not trusted .*network\.ca_file"):
                await reach(server, network(proxy=p.address))

    asyncio.run(main())


@each
def test_socks5_looks_names_up_here(reach: Reach) -> None:
    async def main() -> None:
        async with toy_server(says("hello"), host="127.0.0.1") as server, proxy_server("socks5") as p:
            assert await reach(server, network(proxy=p.address)) == b"hello"
            assert [host for host, _ in p.asked] == ["127.0.0.1"]
        async with toy_server(host=NOWHERE) as server, proxy_server("socks5") as p:
            with pytest.raises((ConnectFailed, FetchFailed), match="cannot be looked up here; socks5h://"):
                await reach(server, network(proxy=p.address))
            assert p.asked == []

    asyncio.run(main())


@each
@pytest.mark.parametrize(
    ("scheme", "more", "words"),
    [
        ("http", {"credentials": CREDENTIALS}, r"wants a user name and a password.*write them into network\.proxy"),
        ("socks5h", {"credentials": CREDENTIALS}, r"wants a user name and a password.*write them into network\.proxy"),
        ("http", {"refuses": 403}, "refuses: .*rules do not allow this host"),
        ("http", {"refuses": 502}, "refuses: .*cannot reach or look up this host"),
        ("http", {"refuses": 500}, "refuses: '500 No'"),
        ("socks5h", {"refuses": 2}, "refuses: .*rules do not allow this host"),
        ("socks5h", {"refuses": 4}, "refuses: .*cannot reach or look up this host"),
        ("socks5h", {"refuses": 5}, "refuses: .*this host refuses its connection"),
        ("socks5h", {"refuses": 1}, "refuses: 'General SOCKS server failure'"),
    ],
)
def test_a_refusal_names_proxy_reason_and_cure_and_no_password(
    scheme: str, more: dict[str, object], words: str, reach: Reach
) -> None:
    async def main() -> None:
        async with toy_server(host=NOWHERE) as server, proxy_server(scheme, **more) as p:
            wrong = f"{scheme}://user:wr0ng@127.0.0.1:{p.port}"
            with pytest.raises((ConnectFailed, FetchFailed), match=words) as error:
                await reach(server, network(proxy=wrong))
        text = str(error.value)
        assert f"{NOWHERE}:" in text
        assert f"proxy {scheme}://127.0.0.1:{p.port} (network.proxy): it" in text
        assert "wr0ng" not in text

    asyncio.run(main())


@each
@pytest.mark.parametrize("scheme", [*SCHEMES, "socks5"])
def test_a_proxy_that_is_away_is_named(scheme: str, reach: Reach) -> None:
    async def main() -> None:
        async with proxy_server(scheme) as p:
            pass
        async with toy_server() as server:
            with pytest.raises((ConnectFailed, FetchFailed)) as error:
                await reach(server, network(proxy=p.address))
        assert f"{p.address} (network.proxy): connection refused; is it running, and network.proxy right?" in str(
            error.value
        )

    asyncio.run(main())


def test_a_proxy_that_says_nothing_is_not_waited_for() -> None:
    async def main() -> None:
        async with proxy_server("http", hangs=True) as p:
            with pytest.raises(ConnectFailed, match=r"\(network\.proxy\): no answer in time"):
                await open_socket(f"ws://{NOWHERE}/", 0.1, network=network(proxy=p.address))

    asyncio.run(main())


@each
@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_the_environment_names_the_proxy(name: str, reach: Reach, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with toy_server(says("hello"), host=NOWHERE) as server, proxy_server("http") as p:
            # urllib leaves HTTP_PROXY aside in a CGI script only; in upper case it is one of ours.
            monkeypatch.setenv(name, f"127.0.0.1:{p.port}")
            assert await reach(server, Network()) == b"hello"
            assert len(p.asked) == 1
            with pytest.raises((ConnectFailed, FetchFailed), match="looked up"):
                await reach(server, network(proxy="none"))
            monkeypatch.setenv(name, f"https://127.0.0.1:{p.port}")
            with pytest.raises(ConfigError, match=f"{name.lower()} must be .*TLS to the proxy itself is not supported"):
                await reach(server, Network())

    asyncio.run(main())


@pytest.mark.parametrize(
    ("variables", "url", "expected"),
    [
        ({"https_proxy": "http://a"}, "wss://x.test/ws", "proxy http://a:80 (https_proxy)"),
        ({"https_proxy": "http://a"}, "https://x.test/", "proxy http://a:80 (https_proxy)"),
        ({"https_proxy": "http://a"}, "ws://x.test/", None),
        ({"https_proxy": "socks5://a", "all_proxy": "http://b"}, "ws://x.test/", "proxy http://b:80 (all_proxy)"),
        ({"HTTPS_PROXY": "http://a", "https_proxy": "http://b:1"}, "wss://x/", "proxy http://b:1 (https_proxy)"),
        ({"all_proxy": "socks5h://[::1]"}, "wss://x.test/", "proxy socks5h://[::1]:1080 (all_proxy)"),
        ({"all_proxy": "http://a", "no_proxy": "x.test,127.0.0.1"}, "wss://x.test/", None),
        ({"all_proxy": "http://a", "no_proxy": "x.test"}, "wss://ws.x.test:443/", None),
        ({"all_proxy": "http://a", "NO_PROXY": "*"}, "wss://x.test/", None),
        ({"all_proxy": "http://a", "no_proxy": "x.test"}, "ws://127.0.0.1:1/", "proxy http://a:80 (all_proxy)"),
        ({}, "wss://x.test/", None),
    ],
)
def test_variables_are_read_as_other_programs_read_them(
    variables: dict[str, str], url: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    proxy = Network().proxy_for(url)
    assert (None if proxy is None else str(proxy)) == expected


def test_the_setting_goes_before_the_environment_and_no_proxy_before_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "http://b")
    monkeypatch.setenv("no_proxy", "near.test")
    own = network(proxy="socks5://a")
    assert str(own.proxy_for("wss://far.test/")) == "proxy socks5://a:1080 (network.proxy)"
    assert own.proxy_for("wss://near.test/") is None


@pytest.mark.parametrize(
    "wrong",
    ["ftp://u:s3cret@a", "http://", "socks4://u:s3cret@a", "http://u:s3cret@a:99999", "http://u:s3cret@a/path",
     "http://u:s3cret\u00fc@a", "http://u:s3cret@[::1", "https://u:s3cret@a", "http://a?s3cret"],
)  # fmt: skip
def test_a_proxy_that_is_none_is_refused_without_being_quoted(wrong: str, tmp_path: Path) -> None:
    (tmp_path / "jrr.toml").write_text(f'[network]\nproxy = "{wrong}"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"jrr\.toml: network: proxy") as error:
        load_config(folder=tmp_path, environ={})
    assert "s3cret" not in str(error.value)
    with pytest.raises(ConfigError) as error:
        Proxy.parse(wrong, "all_proxy")
    assert "s3cret" not in str(error.value)


def test_a_proxy_s_password_is_in_no_text() -> None:
    settings = structure(NetworkSettings, {"proxy": "http://u:s3cret@a:1"}, "network")
    proxy = Network(settings).proxy_for("wss://x/")
    assert "s3cret" not in f"{settings} {proxy} {proxy!r}"
    assert (proxy.user, proxy.password) == ("u", "s3cret") if proxy else False


@each
def test_a_certificate_nobody_vouches_for_is_refused_with_the_cure(reach: Reach, server_tls: ssl.SSLContext) -> None:
    async def main() -> None:
        async with toy_server(says("hello"), tls=server_tls) as server:
            with pytest.raises((ConnectFailed, FetchFailed), match=r"not trusted .*CA certificate .*network\.ca_file"):
                await reach(server, Network())
            assert server.asked == []

    asyncio.run(main())


@each
def test_an_own_authority_is_trusted(
    reach: Reach, server_tls: ssl.SSLContext, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with toy_server(says("hello"), tls=server_tls) as server:
            assert await reach(server, network(ca_file=ca_file)) == b"hello"
            monkeypatch.setenv("SSL_CERT_FILE", ca_file)
            assert await reach(server, Network()) == b"hello"

    asyncio.run(main())


@each
def test_a_certificate_for_another_host_is_refused(reach: Reach, authority: trustme.CA, ca_file: str) -> None:
    async def main() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("other.test").configure_cert(context)
        async with toy_server(tls=context) as server:
            with pytest.raises((ConnectFailed, FetchFailed), match=r"mismatch.*is the address right"):
                await reach(server, network(ca_file=ca_file))

    asyncio.run(main())


def test_an_own_authority_is_added_to_the_system_s(ca_file: str) -> None:
    assert len(network(ca_file=ca_file).tls.get_ca_certs()) == len(Network().tls.get_ca_certs()) + 1


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read: No such file"), ("no PEM", "holds no certif")])
def test_a_ca_file_that_is_none_is_told_at_once(content: str | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=rf"network\.ca_file = '.*ca\.pem' {words}"):
        network(ca_file=str(file))


def test_one_tls_context_serves_all_connections() -> None:
    own = Network()
    assert own.tls is own.tls
    assert own.tls.verify_mode is ssl.CERT_REQUIRED
    assert own.tls.check_hostname


def test_what_is_hidden_of_a_proxy_is_its_password() -> None:
    structure(NetworkSettings, {"proxy": "none"}, "network")
    structure(NetworkSettings, {"proxy": "http://u:a%20pass@proxy.test:1"}, "network")
    assert shown("none of http://proxy.test:1 knows a pass, u says") == "none of http://proxy.test:1 knows ***, u says"
