"""Asking a collector: whoever does not answer properly is told of in words, with the next step."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jrr_core.control import client
from jrr_core.control.client import ControlFailed, ask
from jrr_core.errors import ParseError


@contextmanager
def answering(path: Path, payload: bytes) -> Iterator[Path]:
    """Answer one request with `payload`, then hang up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(payload)

        thread = threading.Thread(target=answer)
        thread.start()
        yield path
        thread.join()


def test_without_a_collector_the_next_command_is_named(tmp_path: Path) -> None:
    words = "no collector answers at .*: start one here with `jrr run`, or say which one: -c FILE"
    with pytest.raises(ControlFailed, match=words):
        ask(tmp_path / "none", "list")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / "dead"))
    with pytest.raises(ControlFailed, match=words):
        ask(tmp_path / "dead", "list")


def test_one_that_ends_before_it_answered_is_told_of(tmp_path: Path) -> None:
    with (
        answering(tmp_path / "s", b'{"result"') as path,
        pytest.raises(ControlFailed, match="ended before it answered"),
    ):
        ask(path, "list")


def test_an_answer_that_is_none_is_an_error_in_words(tmp_path: Path) -> None:
    with answering(tmp_path / "s", b"hello\n") as path, pytest.raises(ParseError, match="not the expected JSON"):
        ask(path, "list")


def test_one_that_does_not_answer_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_ANSWER_S", 0.05)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        with pytest.raises(ControlFailed, match="did not answer"):
            ask(tmp_path / "s", "list")


def test_another_users_collector_is_told_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "peer_uid", lambda connection: os.geteuid() + 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(tmp_path / "s"))
        other.listen()
        with pytest.raises(ControlFailed, match="another user's; nothing was told to it"):
            ask(tmp_path / "s", "stop")
        connection, _ = other.accept()
        with connection:
            assert connection.recv(10) == b""
