"""This machine's clock beside an exchange's, as far as a few requests can tell."""

from .connector import Connector, TellsTime
from .errors import ParseError
from .fetch import Fetch, FetchFailed
from .interview import asked

_TRIES = 3


async def clock_offset_s(connector: Connector, fetch: Fetch) -> float | None:
    """Return by how many seconds this machine is ahead of the exchange (behind: negative); None where nobody tells.

    Of a few requests the one with the shortest way counts, half of which is
    taken off. Raises FetchFailed where none is answered, ParseError where an
    answer tells no time.
    """
    if not isinstance(connector, TellsTime):
        return None
    best: tuple[int, float] | None = None
    for _ in range(_TRIES):
        began, frame = await fetch.timed_get(asked(connector.exchange, connector.time_request))
        if frame.status != 200:
            raise FetchFailed(f"{connector.exchange} answered HTTP {frame.status} when asked for its time")
        try:
            theirs = asked(connector.exchange, connector.server_time, frame)
        except ParseError as error:
            raise ParseError(f"{connector.exchange} answered with what is no time: {error}") from None
        took = frame.ts_recv - began
        if best is None or took < best[0]:
            best = took, (frame.ts_recv - took / 2 - theirs) / 1e9
    return None if best is None else best[1]
