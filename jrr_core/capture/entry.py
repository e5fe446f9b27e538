"""One line of a capture: a frame, or something that happened between frames, as a JSON object.

`ts` is int ns UTC. A frame has no `act`; `form` tells what its payload was:
utf8 (bytes of text), base64 (other bytes), text.
"""

import base64
import binascii
from typing import Any

from attrs import asdict, define

from ..errors import ParseError
from ..events import Gap
from ..frame import Frame
from ..lines import Damage
from ..sink import StreamKey
from ..subscription import Subscription
from ..tape import Act, Begun, Ended, Looked, Received, Reopened, Resumed, Ruled, Sent, Unwanted, Wanted
from ..wire import Struct, decoder, encode

# Receive times before 2001 or beyond 2262 are in another unit than nanoseconds.
_TS_RANGE = (10**18, 2**63 - 1)


@define(frozen=True)
class Opened:
    """A file begins: of which run it is, and which one of that run's, from 1."""

    run: str
    number: int
    ts: int
    version: str


@define(frozen=True)
class Lost:
    """So many frames or acts before this one were not written: the disk did not take them."""

    count: int
    ts: int


Line = Received | Act | Opened | Lost


class _Stream(Struct, omit_defaults=True):
    channel: str = ""
    symbol: str = ""
    native: str | None = None


class _Point(Struct):
    channel: str
    symbol: str
    last: int


class _Gap(Struct):
    symbol: str
    ts_event: int | None
    ts_recv: int
    what: str
    session: str
    reason: str
    count: int | None
    ts_from: int | None
    ts_to: int | None
    sequences: tuple[int, int] | None


class _Entry(Struct, kw_only=True, omit_defaults=True):
    ts: int
    act: str = ""
    exchange: str = ""
    session: str = ""
    payload: str = ""
    tag: str | None = None
    status: int = 200
    form: str = "utf8"
    url: str = ""
    text: str = ""
    reason: str = ""
    streams: list[_Stream] | None = None
    settings: dict[str, Any] | None = None
    points: list[_Point] | None = None
    gaps: list[_Gap] | None = None
    run: str = ""
    number: int = 0
    version: str = ""


_read = decoder(_Entry)


def written(line: Line) -> bytes:
    """Return the line, with its line break; text that no encoding can write (lone surrogates) is escaped."""
    return encode(_entry(line)).encode() + b"\n"


def parsed(line: bytes, number: int) -> Line | Damage:
    """Return what a line written by a run says; Damage where it says nothing that this version knows."""
    try:
        entry = _read(line)
        if not 0 < entry.ts <= _TS_RANGE[1]:
            return Damage(number, f"{entry.ts} is not a time in nanoseconds since 1970")
        found = _line(entry)
    except (ParseError, binascii.Error, UnicodeError) as error:
        return Damage(number, f"not a capture entry: {error}")
    return found if not isinstance(found, str) else Damage(number, f"{found} is of a newer jrr: update jrr-core")


def plain(line: bytes, number: int) -> tuple[int, str] | Damage:
    """Return receive time and text of a line `<receive ns> <JSON>`, as recorders of others write it."""
    stamp, _, payload = line.partition(b" ")
    if not stamp.isdigit() or not payload.strip():
        return Damage(number, "neither a capture entry nor `<receive ns> <JSON>`")
    if len(stamp) > 19 or not _TS_RANGE[0] <= int(stamp) <= _TS_RANGE[1]:
        return Damage(number, f"{stamp[:30].decode()} is not a time in nanoseconds since 1970")
    try:
        return int(stamp), payload.decode()
    except UnicodeDecodeError:
        return Damage(number, "not UTF-8 text")


def _entry(line: Line) -> _Entry:
    match line:
        case Received(session, frame):
            payload, form = _as_text(frame.payload)
            return _Entry(ts=frame.ts_recv, exchange=frame.exchange, session=session or "", payload=payload,
                          tag=frame.tag, status=frame.status, form=form)  # fmt: skip
        case Begun(exchange, session, ts, url, subscriptions):
            return _Entry(ts=ts, act="begin", exchange=exchange, session=session, url=url,
                          streams=None if subscriptions is None else _streams(subscriptions))  # fmt: skip
        case Sent(exchange, session, ts, text, tag):
            return _Entry(ts=ts, act="send", exchange=exchange, session=session, text=text, tag=tag)
        case Wanted(exchange, session, ts, subscriptions):
            return _Entry(ts=ts, act="want", exchange=exchange, session=session, streams=_streams(subscriptions))
        case Unwanted(exchange, session, ts, subscriptions):
            return _Entry(ts=ts, act="unwant", exchange=exchange, session=session, streams=_streams(subscriptions))
        case Looked(exchange, session, ts):
            return _Entry(ts=ts, act="look", exchange=exchange, session=session)
        case Ended(exchange, session, ts, reason):
            return _Entry(ts=ts, act="end", exchange=exchange, session=session, reason=reason)
        case Ruled(exchange, ts, settings):
            return _Entry(ts=ts, act="rule", exchange=exchange, settings=dict(settings))
        case Resumed(exchange, ts, points):
            return _Entry(ts=ts, act="resume", exchange=exchange,
                          points=[_Point(key.channel, key.symbol, last) for key, last in points.items()])  # fmt: skip
        case Reopened(exchange, ts, gaps):
            return _Entry(ts=ts, act="reopen", exchange=exchange, gaps=[_gap(gap) for gap in gaps])
        case Opened(run, number, ts, version):
            return _Entry(ts=ts, act="open", run=run, number=number, version=version)
        case Lost(count, ts):
            return _Entry(ts=ts, act="lose", number=count)


def _line(entry: _Entry) -> Line | str:
    """Return what an entry says, or what of it is unknown, as text."""
    where = (entry.exchange, entry.session, entry.ts)
    streams = tuple(Subscription(entry.exchange, s.channel, s.symbol, s.native) for s in entry.streams or ())
    match entry.act:
        case "":
            payload = _payload(entry)
            if payload is None:
                return f"payload form {entry.form[:20]!r}"
            return Received(entry.session, Frame(entry.exchange, payload, entry.ts, entry.tag, entry.status))
        case "begin":
            return Begun(*where, entry.url, None if entry.streams is None else streams)
        case "send":
            return Sent(*where, entry.text, entry.tag)
        case "want":
            return Wanted(*where, streams)
        case "unwant":
            return Unwanted(*where, streams)
        case "look":
            return Looked(*where)
        case "end":
            return Ended(*where, entry.reason)
        case "rule":
            return Ruled(entry.exchange, entry.ts, entry.settings or {})
        case "resume":
            points = {StreamKey(entry.exchange, p.channel, p.symbol): p.last for p in entry.points or ()}
            return Resumed(entry.exchange, entry.ts, points)
        case "reopen":
            gaps = [Gap(entry.exchange, g.symbol, g.ts_event, g.ts_recv, g.what, g.session, g.reason, g.count,
                        g.ts_from, g.ts_to, g.sequences) for g in entry.gaps or ()]  # fmt: skip
            return Reopened(entry.exchange, entry.ts, gaps)
        case "open":
            return Opened(entry.run, entry.number, entry.ts, entry.version)
        case "lose":
            return Lost(entry.number, entry.ts)
    return f"entry {entry.act[:20]!r}"


def _streams(subscriptions: tuple[Subscription, ...]) -> list[_Stream]:
    return [_Stream(each.channel, each.symbol, each.native) for each in subscriptions]


def _gap(gap: Gap) -> _Gap:
    values = asdict(gap, recurse=False)
    return _Gap(**{name: values[name] for name in _Gap.__struct_fields__})


def _as_text(payload: str | bytes) -> tuple[str, str]:
    if isinstance(payload, str):
        return payload, "text"
    try:
        return payload.decode(), "utf8"
    except UnicodeDecodeError:
        return base64.b64encode(payload).decode(), "base64"


def _payload(entry: _Entry) -> str | bytes | None:
    match entry.form:
        case "utf8":
            return entry.payload.encode()
        case "base64":
            return base64.b64decode(entry.payload, validate=True)
        case "text":
            return entry.payload
    return None
