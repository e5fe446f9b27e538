"""Streams that were asked for and say nothing: each silence is told once, with what it may mean."""

import logging
import time
from collections.abc import Container, Iterable

from .connector import ExchangeSettings
from .desk import Desk
from .journal import say
from .subscription import Subscription

_MEANING = {
    "never received":
        "subscribed, but nothing was ever received: a quiet symbol, or a stream this address does not serve",
    "quiet": "gone quiet against its own habit, though its connection lives",
}  # fmt: skip


def report_silence(
    subscriptions: Iterable[Subscription], desk: Desk, settings: ExchangeSettings, live: Container[tuple[str, str]]
) -> None:
    """Say in the log which of a connection's subscriptions have fallen silent since they were last looked at."""
    now_ns = time.time_ns()
    for subscription in subscriptions:
        key = (subscription.channel, subscription.symbol)
        stream = desk.board.streams.get(key)
        if stream is None or (key in live and stream.last_ns < stream.subscribed_ns):
            # Its acknowledgement proved it: a symbol without trades is no trouble.
            continue
        finding = stream.silence(now_ns, settings.first_data_s, settings.quiet_s)
        if finding:
            desk.counters.silent += 1
            say(logging.WARNING, "stream_silent", f"{subscription}: {_MEANING[finding]}",
                stream=str(subscription), finding=finding)  # fmt: skip
