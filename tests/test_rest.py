"""One GET against real servers: whole answers, and answers that are too large, too slow, packed or elsewhere."""

import asyncio
import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from jrr_core.rest import MAX_BODY_BYTES, FetchFailed, Reply, http_get, redirected
from tests.toy import toy_server

Say = Callable[[socket.socket], None]


@contextmanager
def server(*answers: bytes | Say) -> Iterator[tuple[str, list[bytes]]]:
    """Run a server that answers its connections with these, in order; yield its address and what it heard."""
    heard: list[bytes] = []

    def serve() -> None:
        for answer in answers:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                heard.append(connection.recv(65536))
                with suppress(OSError):
                    connection.sendall(answer) if isinstance(answer, bytes) else answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", heard
        finally:
            # Closing alone would not wake the thread that accepts.
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5.0)


def answer(headers: Sequence[str] = (), body: bytes = b"", status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


def test_a_body_is_read_whole_with_the_server_s_date() -> None:
    async def main() -> None:
        async with toy_server() as toy:
            toy.pages["/x?a=1"] = (200, "body", {"Date": "Mon, 01 Jan 2024 00:00:00 GMT"})
            reply = await asyncio.to_thread(http_get, toy.rest_url + "/x?a=1")
            assert (reply.status, reply.body, reply.retry_after_s) == (200, b"body", None)
            assert "GMT" in (reply.date or "")

    asyncio.run(main())


def test_a_body_may_end_with_the_connection_or_come_in_chunks() -> None:
    chunked = answer(["Transfer-Encoding: chunked"], b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    with server(answer(body=b"to the end"), chunked) as (url, _):
        assert http_get(url).body == b"to the end"
        assert http_get(url).body == b"abcde"


@pytest.mark.parametrize("more", [["Content-Length: 99"], ["Transfer-Encoding: chunked"]])
def test_half_a_body_is_no_reply(more: list[str]) -> None:
    with server(answer(more, b"9\r\nabc")) as (url, _), pytest.raises(FetchFailed, match="IncompleteRead"):
        http_get(url)


def test_no_compression_is_asked_for_and_none_is_taken() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    with server(answer([f"Content-Length: {len(bomb)}", "Content-Encoding: gzip"], bomb)) as (url, heard):
        with pytest.raises(FetchFailed, match="in the encoding 'gzip', which was not asked for"):
            http_get(url)
        assert b"accept-encoding: identity\r\n" in heard[0].lower()


def test_an_answer_said_to_be_too_large_is_not_read() -> None:
    with (
        server(answer([f"Content-Length: {MAX_BODY_BYTES + 1}"], b"x")) as (url, _),
        pytest.raises(FetchFailed, match=r"more than 64 MiB.*is rest_url the right address"),
    ):
        http_get(url)


def test_an_answer_without_end_is_cut_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jrr_core.rest.MAX_BODY_BYTES", 2**20)
    sent = [0]

    def pour(connection: socket.socket) -> None:
        connection.sendall(answer())
        while sent[0] < 2**26:
            sent[0] += connection.send(bytes(2**16))

    with server(pour) as (url, _), pytest.raises(FetchFailed, match="more than 1 MiB"):
        http_get(url)
    assert sent[0] < 2**25


def test_exactly_as_much_as_is_allowed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jrr_core.rest.MAX_BODY_BYTES", 10)
    with server(answer(body=b"0123456789"), answer(["Content-Length: 10"], b"0123456789")) as (url, _):
        assert [http_get(url).body, http_get(url).body] == [b"0123456789"] * 2


@pytest.mark.parametrize("head", [b"", answer(["Content-Length: 999"])], ids=["headers", "body"])
def test_a_trickle_is_cut_when_the_time_is_up(head: bytes) -> None:
    over = threading.Event()

    def trickle(connection: socket.socket) -> None:
        connection.sendall(head or b"HTTP/1.1 200 OK\r\nX: ")
        while not over.wait(0.01):
            connection.sendall(b"x")

    with server(trickle) as (url, _):
        began = time.monotonic()
        with pytest.raises(FetchFailed, match=r"no whole answer in 0\.2 s"):
            http_get(url, total_s=0.2)
        assert time.monotonic() - began < 2.0
        over.set()


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (["X: " + "x" * 70_000], "header line"),
        ([f"X{n}: 1" for n in range(200)], "more than 100 headers"),
    ],
)
def test_headers_have_limits(head: list[str], words: str) -> None:
    with server(answer(head)) as (url, _), pytest.raises(FetchFailed, match=words):
        http_get(url)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(status: int) -> None:
    first = answer(["Location: /there?a=b"], b"not this", f"{status} Moved")
    with server(first, answer(body=b"there")) as (url, heard):
        assert http_get(url).body == b"there"
        assert heard[1].startswith(b"GET /there?a=b HTTP/1.1")


def test_a_redirect_to_another_host_is_followed_with_the_name_of_that_host() -> None:
    with (
        server(answer(body=b"there")) as (there, heard),
        server(answer([f"Location: {there}/x"], status="302 Found")) as (url, _),
    ):
        assert http_get(url).body == b"there"
        assert there.removeprefix("http://").encode() in heard[0]


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd", "ftp://127.0.0.1/x", "javascript:alert(1)", "ws://x/", "https://", "https://[::1",
        "http://a..b/", "http://x:port/",
    ],
)  # fmt: skip
def test_a_redirect_out_of_http_is_refused(target: str) -> None:
    with (
        server(answer([f"Location: {target}"], status="302 Found")) as (url, heard),
        pytest.raises(FetchFailed, match=r"redirects to .*, which is no address"),
    ):
        http_get(url)
    assert len(heard) == 1


def test_a_redirect_leads_into_encryption_and_never_out_of_it() -> None:
    plain, encrypted = urlsplit("http://a/x"), urlsplit("https://a/x")
    assert redirected(plain, "https://b/y").geturl() == "https://b/y"
    assert redirected(encrypted, "/y").geturl() == "https://a/y"
    with pytest.raises(FetchFailed, match=r"not encrypted; is rest_url the right address"):
        redirected(encrypted, "http://a/x")


def test_redirects_in_a_circle_end() -> None:
    again = answer(["Location: /x"], status="302 Found")
    with server(*[again] * 10) as (url, heard), pytest.raises(FetchFailed, match="more than 5 times"):
        http_get(url)
    assert len(heard) == 6


def test_a_wait_is_at_most_three_days() -> None:
    more = [["Retry-After: 7"], ["Retry-After: 99999999999"], ["Retry-After: soon"], []]
    with server(*[answer([*each, "Content-Length: 0"], status="503 No") for each in more]) as (url, _):
        replies: list[Reply] = [http_get(url) for _ in more]
    assert [reply.retry_after_s for reply in replies] == [7.0, 259_200.0, None, None]
