"""Asking a running collector: one request, one answer, and errors that read as if they had been raised here."""

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError, JrrError
from .protocol import ANSWER_BYTES, Request, line, read_answer
from .server import peer_uid

# Reading an exchange's list of instruments is the longest that an answer waits for.
_ANSWER_S = 120.0


class ControlFailed(JrrError):  # noqa: N818 - says what happened, not whose fault
    """The collector could not be asked, or could not do it; the text says what next."""


def ask(path: Path, command: str, streams: Sequence[str] = ()) -> Mapping[str, Any]:
    """Return the result of a command.

    Raises ConfigError for what the user has to change, ControlFailed where
    no collector answers or it failed.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ANSWER_S)
            connection.connect(str(path))
            if peer_uid(connection) not in (None, 0, os.geteuid()):
                raise ControlFailed(f"{path}: whoever answers there is another user's; nothing was told to it")
            connection.sendall(line(Request(command, streams)))
            text = connection.makefile("rb").readline(ANSWER_BYTES)
    except (FileNotFoundError, ConnectionRefusedError):
        raise ControlFailed(
            f"no collector answers at {path}: start one here with `jrr run`, or say which one: "
            "-c FILE, --instance NAME or --socket PATH"
        ) from None
    except PermissionError:
        raise ControlFailed(f"{path} is another user's: only who runs a collector may tell it anything") from None
    except TimeoutError:
        raise ControlFailed(
            f"the collector at {path} did not answer in {_ANSWER_S:.0f} s; its log may say why"
        ) from None
    if not text.endswith(b"\n"):
        raise ControlFailed(f"the collector at {path} ended before it answered; its log says why")
    answer = read_answer(text)
    if answer.error:
        raise (ConfigError if answer.misuse else ControlFailed)(answer.error)
    return answer.result or {}
