"""REST GETs against a real server: replies, limits, retries."""

import asyncio
import threading
import time

import pytest

from jrr_core.errors import ConfigError
from jrr_core.fetch import Fetch, FetchFailed
from jrr_core.frame import HttpGet
from jrr_core.pace import Budget
from tests.toy import FAST, ToyServer, toy_server, until


def get(server: ToyServer, path: str = "/x", **more: float) -> HttpGet:
    return HttpGet(server.rest_url + path, "tag", pool="p", weight=3, after_s=more.get("after_s", 0.0))


def test_a_reply_becomes_a_tagged_frame_and_is_charged() -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/x"] = (200, "körper", {})
            budget = Budget(FAST)
            before = time.time_ns()
            frame = await Fetch("toy", {"p": budget}).get(get(server))
            assert (frame.exchange, frame.payload, frame.tag, frame.status) == ("toy", "körper".encode(), "tag", 200)
            assert before <= frame.ts_recv <= time.time_ns()
            assert budget.used == 3

    asyncio.run(main())


def test_headers_are_sent_with_the_request() -> None:
    async def main() -> None:
        async with toy_server() as server:
            await Fetch("toy", {}).get(HttpGet(server.rest_url + "/x", "tag", headers={"X-Size": "1"}))
            assert server.headers[-1]["X-Size"] == "1"

    asyncio.run(main())


@pytest.mark.parametrize("status", [400, 403, 404])
def test_any_other_status_is_a_reply(status: int) -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/x"] = (status, "why", {})
            frame = await Fetch("toy", {}).get(get(server))
            assert (frame.status, frame.payload) == (status, b"why")

    asyncio.run(main())


@pytest.mark.parametrize("status", [418, 429])
def test_over_the_limit_closes_the_budget_for_as_long_as_the_server_says(status: int) -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/x"] = (status, "", {"Retry-After": "30"})
            now = [100.0]
            budget = Budget(FAST, lambda: now[0])
            with pytest.raises(FetchFailed, match="asking to wait 30 s") as failure:
                await Fetch("toy", {"p": budget}).try_get(get(server))
            assert failure.value.wait_s == 30.0
            spending = asyncio.ensure_future(budget.spend(1))
            await asyncio.sleep(0.01)
            assert not spending.done()
            spending.cancel()
            await asyncio.gather(spending, return_exceptions=True)
            now[0] += 31
            await budget.spend(1)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "header", "wait_s"), [(503, "7", 7.0), (500, "", 0.0), (508, "soon", 0.0), (429, "", 5.0)]
)
def test_a_passing_failure_says_how_long_to_wait(status: int, header: str, wait_s: float) -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/x"] = (status, "", {"Retry-After": header} if header else {})
            with pytest.raises(FetchFailed, match=f"HTTP {status}") as failure:
                await Fetch("toy", {}).try_get(get(server))
            assert failure.value.wait_s == wait_s

    asyncio.run(main())


def test_get_tries_until_it_succeeds_and_reports_each_failure() -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/x"] = (500, "", {})

            def mend(text: str) -> None:
                reports.append(text)
                server.pages["/x"] = (200, "well", {})

            reports: list[str] = []
            frame = await Fetch("toy", {}, mend).get(get(server))
            assert frame.payload == b"well"
            assert [text.partition(" answered ")[2] for text in reports] == ["HTTP 500"]

    asyncio.run(main())


def test_a_delayed_request_waits() -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/x"] = (200, "", {})
            began = time.monotonic()
            await Fetch("toy", {}).get(get(server, after_s=0.05))
            assert time.monotonic() - began >= 0.05

    asyncio.run(main())


def test_an_unreachable_host_is_named() -> None:
    async def main() -> None:
        async with toy_server() as server:
            request = get(server)
        with pytest.raises(FetchFailed, match=r"cannot reach 127\.0\.0\.1:\d+: connection refused"):
            await Fetch("toy", {}).try_get(request)

    asyncio.run(main())


def test_a_reply_cut_short_is_a_failed_attempt() -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/x"] = (200, "short", {"Content-Length": "99"})
            server.pages["/x"] = (200, "", {"Transfer-Encoding": "chunked"})
            with pytest.raises(FetchFailed, match="cannot reach"):
                await Fetch("toy", {}).try_get(get(server))

    asyncio.run(main())


@pytest.mark.parametrize("url", ["ftp://x/", "file:///etc/passwd", "nonsense", "http://a..b\u2603/", "http://[::1"])
def test_an_address_that_is_none_is_the_user_s_to_mend(url: str) -> None:
    with pytest.raises((ConfigError, FetchFailed)) as error:
        asyncio.run(Fetch("toy", {}).try_get(HttpGet(url, "tag")))
    assert url.partition("://")[2].strip("/") in str(error.value)


def test_symbols_in_any_script_can_be_asked_for() -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/x?symbol=%E5%B8%81USDT&a=%2B"] = (200, "ok", {})
            frame = await Fetch("toy", {}).try_get(get(server, "/x?symbol=币USDT&a=%2B"))
            assert frame.payload == b"ok"

    asyncio.run(main())


def test_a_cancelled_get_holds_up_nobody() -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await release.wait()
            writer.close()

        hanging = await asyncio.start_server(hang, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{hanging.sockets[0].getsockname()[1]}/"
        fetching = asyncio.ensure_future(Fetch("toy", {}).get(HttpGet(url, "tag")))
        await until(lambda: any(thread.name == "jrr-http" for thread in threading.enumerate()))
        fetching.cancel()
        began = time.monotonic()
        await asyncio.gather(fetching, return_exceptions=True)
        assert time.monotonic() - began < 0.5
        release.set()
        hanging.close()
        await hanging.wait_closed()

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 2.0
