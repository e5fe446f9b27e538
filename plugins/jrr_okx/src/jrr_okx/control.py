"""What OKX says about the connection itself: acknowledgements, refusals and notices.

Pure; the parser calls it for every frame that carries no data.
"""

import re
from collections.abc import Mapping, Sequence

from jrr_core.errors import ParseError
from jrr_core.frame import Acked, Refused, Request, Rotate
from jrr_core.subscription import Subscription
from jrr_core.wire import Raw, Struct, decoder

from .products import RULES

# Docs, "WebSocket connection > Service upgrade notice".
UPGRADE_NOTICE = "64008"
# Docs, "WebSocket error codes": these refuse a request as a whole, the others one arg of it.
_WHOLE_REQUEST = frozenset({"60012", "60013", "60014", "60019", "60027", "60033", "64007"})
_silent = frozenset({"unsubscribe", "login", "channel-conn-count", "channel-conn-count-error"})
# "Wrong URL or channel:candle1m,instId:BTC-USD-SWAP doesn't exist. ..."
_named = re.compile(r"channel:([A-Za-z0-9-]+),(?:instId|instType):([A-Za-z0-9_.-]+)").search


class Argument(Struct, rename="camel"):
    """The `arg` of a frame: the topic it is about."""

    channel: str
    inst_id: str | None = None
    inst_type: str | None = None

    @property
    def target(self) -> str:
        """The instrument or the instrument type, whichever the channel goes by; empty if it has none."""
        rule = RULES.get(self.channel)
        by_type = rule is not None and rule.argument == "instType"
        return (self.inst_type if by_type else self.inst_id) or ""

    @property
    def key(self) -> str:
        """The topic as text, as in `topics.Topic.key`."""
        return f"{self.channel}:{self.target}"


class Envelope(Struct):
    """Any JSON frame of OKX's.

    `{"id":"b1","event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"4a0c3369"}`,
    `{"event":"error","msg":"Please log in","code":"60011","connId":".."}` or a push with `arg` and `data`.
    """

    event: str | None = None
    arg: Argument | None = None
    data: Raw = Raw()
    code: str | int | None = None
    msg: str | None = None
    id: str | None = None


envelope = decoder(Envelope)


def answers(
    frame: Envelope, proved: Mapping[str, Sequence[Subscription]], batches: Mapping[str, Sequence[str]]
) -> list[Request]:
    """Return what a control frame means for the session; raises ParseError for an event OKX does not document.

    `proved` maps a topic's key to the streams its acknowledgement proves
    alive, `batches` a request's id to its topics' keys.
    """
    if frame.event == "subscribe":
        if frame.arg is None:
            raise ParseError("an acknowledgement without its arg")
        return [Acked(frame.arg.key, tuple(proved.get(frame.arg.key, ())))]
    if frame.event == "error":
        return _refusals(frame, batches)
    if frame.event == "notice":
        return [Rotate(frame.msg or "service upgrade")] if str(frame.code) == UPGRADE_NOTICE else []
    if frame.event in _silent:
        return []
    raise ParseError(f"an event OKX does not document: {str(frame.event)[:60]!r}")


def _refusals(frame: Envelope, batches: Mapping[str, Sequence[str]]) -> list[Request]:
    """Return a Refused for the topic an error names, else for what can be told from the request it answers.

    The key is "" where several topics could be meant, or none is known.
    """
    reason = f"{frame.code}: {frame.msg}" if frame.msg else str(frame.code)
    if frame.arg is not None:
        return [Refused(frame.arg.key, frame.arg.key, reason)]
    named = _named(frame.msg or "")
    if named is not None:
        key = f"{named[1]}:{named[2]}"
        return [Refused(key, key, reason)]
    keys = batches.get(frame.id or "", ())
    if len(keys) == 1 or str(frame.code) in _WHOLE_REQUEST:
        refused: list[Request] = [Refused(key, key, reason) for key in keys]
        return refused or [Refused("", "a request", reason)]
    return [Refused("", f"one of {', '.join(keys)[:200]}" if keys else "a request", reason)]
