"""What Kraken says about subscriptions: one answer per symbol, which a refusal names without its channel.

Pure; the parser calls it for every frame that has a `method`.
"""

from collections.abc import Collection, Mapping

from jrr_core.errors import ParseError
from jrr_core.frame import Acked, Refused, Request
from jrr_core.subscription import Subscription
from jrr_core.wire import Struct, decoder

from .messages import Push
from .topics import of_request

_silent = frozenset({"ping", "pong", "unsubscribe"})


class _Result(Struct):
    """The `result` of an answer, as far as it matters."""

    symbol: str = ""


_result = decoder(_Result)


def answers(frame: Push, proves: Mapping[str, Collection[Subscription]]) -> list[Request]:
    """Return what an answer means for the session; raises ParseError for one Kraken does not document.

    `proves` maps a topic's key to the streams its acknowledgement proves
    alive.
    """
    if frame.method in _silent:
        return []
    if frame.success is not False and (frame.method != "subscribe" or frame.success is None):
        raise ParseError(f"an answer that Kraken does not document: {str(frame.method)[:60]!r}")
    symbol = frame.symbol or (_result(frame.result).symbol if len(frame.result) else "")
    topic = of_request(frame.req_id or 0, symbol) if symbol else None
    key = "" if topic is None else topic.key
    if frame.success:
        return [Acked(key, tuple(proves.get(key, ())))]
    return [Refused(key, key, frame.error or "refused without a reason")]
