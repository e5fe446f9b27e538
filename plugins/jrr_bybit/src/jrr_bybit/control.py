"""Requests to Bybit and their answers: which topics an answer is about, and what to do about a refusal.

One bad topic can fail a whole request, and the refusal then names that topic
without the request's id. So the topics of a refused request are asked for
again, each by itself: the good ones live, the bad one is refused by name.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence

from jrr_core.errors import ParseError
from jrr_core.frame import Acked, Refused, Request
from jrr_core.subscription import Subscription

from .messages import Push
from .topics import batches, request, request_id

# "Invalid topic: publicTrade.NOSUCH", "Invalid symbol :[publicTrade.NOSUCH]", "error:handler not found,topic:x.BTCUSDT"
_words = re.compile(r"[A-Za-z0-9_.-]+").findall


class Requests:
    """What one connection has asked for and waits for; `ask` takes what follows from an answer."""

    def __init__(self, ask: Callable[[Request], None]) -> None:
        """Begin with nothing asked for."""
        self._ask = ask
        self._proves: dict[str, Collection[Subscription]] = {}
        self._open: dict[str, Sequence[str]] = {}

    def expect(self, topics: Sequence[str], proves: Mapping[str, Collection[Subscription]]) -> None:
        """Note topics that are asked for together; `proves` has the streams that an acknowledgement alone proves."""
        self._proves.update(proves)
        self._open.update({request_id(batch): batch for batch in batches(topics)})

    def again(self, topic: str) -> None:
        """End a topic and ask for it anew."""
        self._ask(request("unsubscribe", [topic]))
        self._single(topic)

    def answer(self, frame: Push) -> None:
        """Take an answer; raises ParseError for one Bybit does not document."""
        if frame.op in ("ping", "pong", "unsubscribe"):
            return
        if frame.op != "subscribe" or frame.success is None:
            raise ParseError(f"an answer that Bybit does not document: op {str(frame.op)[:60]!r}")
        if frame.success:
            self._accepted(frame.req_id or "")
        else:
            self._refused(frame)

    def _accepted(self, key: str) -> None:
        topics = self._open.pop(key, ())
        self._ask(Acked(key, tuple([stream for topic in topics for stream in self._proves.get(topic, ())])))

    def _refused(self, frame: Push) -> None:
        reason = frame.ret_msg or "refused without a reason"
        key = self._meant(frame)
        topics = self._open.pop(key, ())
        if len(topics) == 1:
            self._ask(Refused(key, topics[0], reason))
            return
        if not topics:
            self._ask(Refused(frame.req_id or "", "", reason))
            return
        self._ask(Acked(key))
        for topic in topics:
            self._single(topic)

    def _meant(self, frame: Push) -> str:
        """Return the id of the request a refusal answers: its own, else that of a request with a topic it names."""
        if frame.req_id in self._open:
            return frame.req_id or ""
        named = set(_words(frame.ret_msg or ""))
        found = [key for key, topics in self._open.items() if named.intersection(topics)]
        # The smallest one: a topic that is asked for by itself was refused in company before.
        return min(found, key=lambda key: len(self._open[key]), default="")

    def _single(self, topic: str) -> None:
        self._open[request_id([topic])] = [topic]
        self._ask(request("subscribe", [topic]))
