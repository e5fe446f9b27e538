"""Addresses as users write them, and every way in which nobody answers."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from jrr_core.errors import ConfigError
from jrr_core.top import client
from jrr_core.top.client import NoAnswer, ask, url_of

STATS = {"exchanges": {}, "sinks": {}, "alarms": [], "uptime_s": 1.0}


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (None, "http://127.0.0.1:9464/stats"),
        ("9000", "http://127.0.0.1:9000/stats"),
        (":9000", "http://127.0.0.1:9000/stats"),
        ("box:9000", "http://box:9000/stats"),
        ("[::1]:9000", "http://[::1]:9000/stats"),
        ("http://box:9000", "http://box:9000/stats"),
        ("https://box/behind/", "https://box/behind/stats"),
        ("http://box:9000/stats", "http://box:9000/stats"),
    ],
)
def test_forms_of_an_address(text: str | None, url: str) -> None:
    assert url_of(text) == url


@pytest.mark.parametrize("text", ["box", "a b", "ftp://box:1", "http://", "../x", "box:99999"])
def test_what_is_no_address_is_the_users_to_change(text: str) -> None:
    with pytest.raises(ConfigError, match="no address"):
        url_of(text)


class _Saying(BaseHTTPRequestHandler):
    status, body = 200, b""

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *values: object) -> None: ...


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Saying) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, b"", "answered HTTP 404: is that a collector"),
        (200, b"<html>", "what is no JSON"),
        (200, b"[" * 100_000, "what is no JSON"),
        (200, b"[]", "no stats of this version"),
        (200, b'{"exchanges": 7}', "no stats of this version"),
        (200, b"x" * 2_000, "more than 1,000 bytes"),
    ],
)
def test_what_answers_but_is_no_collector_is_one_sentence(
    port: int, status: int, body: bytes, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_MOST_BYTES", 1_000 if b"xx" in body else 10**6)
    monkeypatch.setattr(_Saying, "status", status)
    monkeypatch.setattr(_Saying, "body", body)
    with pytest.raises(NoAnswer, match=said):
        ask(f"http://127.0.0.1:{port}/stats")


def test_stats_are_what_was_answered(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Saying, "body", json.dumps(STATS).encode())
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert ask(f"http://127.0.0.1:{port}/stats") == STATS


def test_nobody_there_is_told_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NoAnswer, match="connection refused; start one with `jrr run`"):
        ask(f"http://127.0.0.1:{port}/stats")
