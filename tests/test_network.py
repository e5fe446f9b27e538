"""Network failures in words."""

import socket
import ssl

import pytest

from jrr_core.network import host_of, reason_of


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("wss://stream.example.com:9443/ws", "stream.example.com:9443"),
        ("https://user:secret@example.com/x", "example.com"),
        ("example.com", "example.com"),
        ("ws://user:secret@[::1", "[::1"),
    ],
)
def test_host_of_is_the_host_and_never_a_password(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "no answer in time"),
        (socket.gaierror(-2, "Name or service not known"), "the name cannot be looked up (no network or DNS?)"),
        (ConnectionRefusedError(111, "Connect call failed"), "connection refused"),
        (ssl.SSLError(1, "certificate verify failed"), "TLS failed"),
        (OSError(113, "No route to host"), "No route to host"),
        (EOFError(), "EOFError"),
    ],
)
def test_reasons_are_words_a_user_can_act_on(error: BaseException, words: str) -> None:
    assert words in reason_of(error)
