"""What `jrr ctl` and a collector say to each other: one line of JSON each way, several times if need be.

A request names a command and, where it takes some, subscriptions as text. An
answer has either a result or an error, and whose it is to mend.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ..wire import Struct, decoder, encode

# A request of some ten thousand subscriptions; an answer that lists as many streams.
REQUEST_BYTES = 1_000_000
ANSWER_BYTES = 100_000_000
COMMANDS = ("subscribe", "unsubscribe", "list", "status", "reload", "stop")


class Request(Struct):
    """What is asked: a command and the subscriptions it is about."""

    command: str
    streams: Sequence[str] = ()


class Answer(Struct, omit_defaults=True):
    """What came of it. `error` is a sentence for people, empty where it went well; `misuse`: they have to change it."""

    result: Mapping[str, Any] | None = None
    error: str = ""
    misuse: bool = False


read_request = decoder(Request)
read_answer = decoder(Answer)


def line(message: Request | Answer) -> bytes:
    """Return a message as it goes over the socket."""
    return encode(message).encode() + b"\n"
