"""What a parent and its workers say to each other: one line of JSON at a time, over pipes that nobody else holds."""

import base64
import pickle
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from attrs import define

from ..config import Config
from ..control.protocol import Answer
from ..wire import Struct, decoder, encode

# Settings, and stats of some ten thousand streams.
LINE_BYTES = 100_000_000


@define(frozen=True)
class Part:
    """What a worker is to do: its settings, that it is the `number`-th of `count`, from 1, and on which event loop."""

    config: Config
    number: int
    count: int
    loop: str


class Order(Struct, omit_defaults=True):
    """To a worker: a command, `id` where an answer is wanted, and what it is about."""

    command: str
    id: int = 0
    streams: Sequence[str] = ()
    settings: str = ""


class Word(Struct, omit_defaults=True):
    """From a worker.

    built: everything asked for was found right, it waits for `go`. ready: the
    sinks are open and connecting has begun. report: how it goes. end: how it
    went, the last word; `failure` where an error ended it, and `misuse` where
    the user has to change something. answer: to the order `id`.
    """

    kind: Literal["answer", "built", "ready", "report", "end"]
    id: int = 0
    answer: Answer | None = None
    stats: Mapping[str, Any] | None = None
    failings: Sequence[str] = ()
    failure: str = ""
    misuse: bool = False


read_order = decoder(Order)
read_word = decoder(Word)


def line(message: Order | Word) -> bytes:
    """Return a message as it goes through a pipe."""
    return encode(message).encode() + b"\n"


def packed(value: Part | Config) -> str:
    """Return settings as text, with where each came from.

    Pickle is safe here: only the parent, which started the process that reads it, holds the other end.
    """
    return base64.b64encode(pickle.dumps(value)).decode()


def unpacked(text: str) -> Any:
    """Return what `packed` was given."""
    return pickle.loads(base64.b64decode(text))
