"""Streams that were asked for and say nothing: one by one, or as what they have in common.

A symbol may be quiet for as long as it usually is, and for as long as it has
been before; a stream that its acknowledgement proved needs no data. Where all
streams of a connection, or all of a kind on it, never delivered, it is not the
symbols: the address does not serve them, though the exchange acknowledges
whatever is asked for.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from ..alarms import Alarms
from ..exchange import Exchange
from ..session import Session
from ..stream import Finding, Stream

_WAIT = "wait if the symbol is quiet; else look whether the exchange still lists it, and its status page"
_TEXT: dict[Finding, str] = {
    "never received": "subscribed, but nothing was ever received",
    "quiet": "gone quiet against its own habit, though its connection lives",
}
# Seconds that a stream's first event may take where the address serves others of its channel.
_SERVED_S = 3600.0
# So many streams of a connection must have had time to deliver before they say something of it.
_SEVERAL = 2

_Silent = list[tuple[str, Stream]]


def look_for_silence(exchange: Exchange, alarms: Alarms, now_ns: int) -> None:
    """Set and end the alarms about silence of one exchange."""
    single: dict[str, Finding] = {}
    shared: dict[str, str] = {}
    settings = exchange.around.settings
    for session in [session for line in exchange.lines for session in line.sessions]:
        expected = list(_expected(session, exchange))
        served = {stream.channel for _, stream in expected if stream.count}
        silent: _Silent = []
        for subscription, stream in expected:
            # Where others of its channel deliver on this connection, it is served, and may be a quiet symbol.
            first_data_s = max(settings.first_data_s, _SERVED_S if stream.channel in served else 0)
            if stream.look(now_ns, first_data_s, settings.quiet_s):
                silent.append((str(subscription), stream))
        for subject, members, text in _in_common(session, exchange, silent):
            shared[subject] = text
            silent = [item for item in silent if item[1] not in members]
        single.update({name: stream.reported for name, stream in silent if stream.reported})
    counters = exchange.around.desk.counters
    known = {alarm.subject for alarm in alarms.standing if alarm.exchange == exchange.name}
    counters.silent += len((single.keys() | shared.keys()) - known)
    for name, finding in single.items():
        alarms.set("stream_silent", name, _TEXT[finding], _WAIT, exchange.name, finding=finding)
    for subject, text in shared.items():
        cure = f"check exchanges.{exchange.name}.ws_url; if it is right, the exchange has moved them: update the plugin"
        alarms.set("streams_unserved", subject, text, cure, exchange.name)
    alarms.keep("stream_silent", single, exchange.name)
    alarms.keep("streams_unserved", shared, exchange.name)


def _expected(session: Session, exchange: Exchange) -> Iterator[tuple[object, Stream]]:
    """Yield the streams a connection should deliver; what its acknowledgement proved needs no data."""
    board = exchange.around.desk.board.streams
    for subscription in session.plan.subscriptions:
        key = (subscription.channel, subscription.symbol)
        stream = board.get(key)
        if stream is not None and not (key in session.live and stream.last_ns < stream.subscribed_ns):
            yield subscription, stream


def _in_common(session: Session, exchange: Exchange, silent: _Silent) -> Iterator[tuple[str, list[Stream], str]]:
    """Yield what never-delivering streams of one connection have in common: subject, streams, words."""
    never = [stream for _, stream in silent if stream.reported == "never received"]
    host = urlsplit(session.plan.url)
    where = f"{exchange.name} at {host.netloc}{host.path}"
    others = any(stream.count for stream in exchange.around.desk.board.streams.values() if stream.wanted)
    if len(never) >= _SEVERAL and len(never) == len(session.plan.subscriptions) and others:
        yield where, never, f"none of its {len(never)} streams ever delivered, though others of the exchange do"
        return
    for channel in dict.fromkeys(stream.channel for stream in never):
        members = [stream for stream in never if stream.channel == channel]
        asked = [s for s in session.plan.subscriptions if s.channel == channel]
        if len(members) >= _SEVERAL and len(members) == len(asked):
            yield f"{channel} of {where}", members, f"none of its {len(members)} streams ever delivered"
