"""What arrives and what a parser asks for in return.

A parser does no I/O: it reads Frames and leaves Requests. The session carries
them out; replies come back as Frames, so a capture of frames replays exactly.
"""

from collections.abc import Mapping

from attrs import define, field
from msgspec import Struct

from .subscription import Subscription

NOW_S = "{now_s}"


def dated(text: str, now_ns: int) -> str:
    """Return a text to send with the time (int ns) in place of NOW_S, in whole seconds."""
    return text.replace(NOW_S, str(now_ns // 10**9)) if NOW_S in text else text


# One is made of every message: a Struct costs a third of a class of attrs.
class Frame(Struct, gc=False):
    """One message as received: a WebSocket payload, or the reply to an HttpGet (`tag` set).

    `ts_recv` is int ns UTC. `status` is the HTTP status of a reply; 200 for
    WebSocket payloads.
    """

    exchange: str
    payload: str | bytes
    ts_recv: int
    tag: str | None = None
    status: int = 200


@define(frozen=True, weakref_slot=False)
class Send:
    """Send this text on the socket; `acks` are the keys the exchange must answer for within the ack deadline.

    Where the text holds NOW_S, core puts the time of sending, in whole
    seconds, in its place: connectors read no clock.
    """

    text: str
    acks: tuple[str, ...] = ()


@define(frozen=True, weakref_slot=False)
class HttpGet:
    """GET `url` (absolute) and feed the reply back as a Frame tagged `tag`.

    `weight` is charged to the rate budget `pool` (a key of Limits.http).
    `after_s` delays it. Network failures, 5xx, 429 and 418 are retried by
    core as the exchange's Retry-After says; any other status comes back.
    A `patient` one fetches the past: it lets others of its pool go first and
    uses at most half of the budget. `headers` are sent with the request.
    """

    url: str
    tag: str
    weight: int = 1
    pool: str = ""
    after_s: float = 0.0
    patient: bool = False
    headers: Mapping[str, str] = field(factory=dict, hash=False)


@define(frozen=True, weakref_slot=False)
class Hole:
    """Numbers of one stream that did not come: `first` to `last`, `count` of them.

    Trade ids of the numbering `id_space`; of candles open times, of funding
    the times of settlement, both int ns UTC. `ts_from` (int ns UTC) is when
    what came before the hole happened, None where nobody knows: for exchanges
    that give out trades by time.
    """

    channel: str
    symbol: str
    id_space: str | None
    first: int
    last: int
    count: int
    ts_from: int | None = field(default=None, eq=False)


@define(frozen=True, weakref_slot=False)
class Absent:
    """The numbers of `hole` will not come, whatever is asked.

    `reason` None: no event bears them, so nothing is missing (ids used up
    without a trade). Else why the exchange cannot give them: they stay a gap.
    """

    hole: Hole
    reason: str | None = None


@define(frozen=True, weakref_slot=False)
class Rotate:
    """Open a successor connection now and close this one once the successor delivers."""

    reason: str


@define(frozen=True, weakref_slot=False)
class Acked:
    """The exchange answered for `key`; the streams in `proves` are alive by that answer alone."""

    key: str
    proves: tuple[Subscription, ...] = ()


@define(frozen=True, weakref_slot=False)
class Refused:
    """The exchange refused `key`; others go on.

    `what` names the stream, "" where the answer does not tell: core then
    quotes the message sent under `key`. `reason` is the exchange's text.
    """

    key: str
    what: str
    reason: str


@define(frozen=True, weakref_slot=False)
class Unknown:
    """The exchange sent what the parser does not know, a new kind of frame or field: `what`, in a few words.

    Nothing is wrong with it, it is passed over; the user is told that the
    exchange has moved on.
    """

    what: str


Request = Send | HttpGet | Rotate | Acked | Refused | Absent | Unknown
