"""Asks a connector what it knows, and reads its list of instruments, page by page.

What a connector must not raise becomes a PluginError here, so that the fault is
laid to the plugin. Tries once; who asks again, and when, is the caller's affair.
"""

from collections import deque
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from .connector import Connector, ListsInPages
from .errors import JrrError, ParseError, PluginError
from .fetch import Fetch, FetchFailed
from .frame import Frame, HttpGet
from .instrument import Instrument

_P = ParamSpec("_P")
_T = TypeVar("_T")


def asked(exchange: str, method: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call a connector's method; what it must not raise becomes a PluginError."""
    try:
        return method(*args, **kwargs)
    except JrrError:
        raise
    except Exception as error:
        what = getattr(method, "__name__", method)
        raise PluginError(f"{exchange}: its connector's {what}() failed: {error!r}") from error


async def list_instruments(
    connector: Connector, fetch: Fetch, heard: Callable[[Frame], None] | None = None
) -> list[Instrument]:
    """Return all that the exchange lists; empty where it has no list. `heard` is told of each page.

    Raises FetchFailed where the list cannot be had, ParseError where it is none.
    """
    exchange = connector.exchange
    waiting = deque(asked(exchange, connector.instrument_requests))
    seen: set[str] = set()
    listed: list[Instrument] = []
    while waiting:
        request = waiting.popleft()
        if request.url in seen:
            raise ParseError(f"{request.url} leads back to itself, page after page")
        seen.add(request.url)
        frame = await fetch.try_get(request)
        if frame.status != 200:
            raise FetchFailed(f"{request.url} answered HTTP {frame.status}")
        if heard is not None:
            heard(frame)
        more: HttpGet | None = None
        try:
            listed.extend(asked(exchange, connector.instruments, frame))
            if isinstance(connector, ListsInPages):
                more = asked(exchange, connector.next_instruments, frame)
        except ParseError as error:
            raise ParseError(f"{request.url} answered with what is no list of instruments: {error}") from None
        if more is not None:
            waiting.append(more)
    return listed
