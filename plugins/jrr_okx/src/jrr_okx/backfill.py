"""Fetches again over REST what did not come: trades, candles, settled funding rates.

Each answer leads to the next request, and each request starts higher than the
one before, goes to an endpoint that reaches further back, or is the last of a
few repetitions, so a hole costs a bounded number of them. Does no I/O;
requests go out through `ask`.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from attrs import evolve

from jrr_core.errors import ParseError
from jrr_core.events import Message
from jrr_core.frame import Absent, Frame, Hole, HttpGet, Request
from jrr_core.pages import TAG, Page, absent

from .history import MOST_TRADES, Answer, Funding, LatestCandles, LatestTrades, OldCandles, OldTrades, Source
from .products import BAR_OF, MOST_LATEST_CANDLES
from .refusal import Refusal, refusal, refusal_if_any

__all__ = ["TAG", "Backfill"]

NOT_LISTED = "the exchange does not list them"
# Docs, "REST API": answers may come from caches of different age; what is not there yet is asked for again.
_WAITS_S = (1.0, 3.0, 10.0)
_FUNDING_WAITS_S = (5.0, 30.0, 120.0)
# Docs, "Error code > General class": service unavailable, endpoint timed out, too many requests, system busy
# twice; "System is busy, please try again later".
_BUSY = frozenset({"50001", "50004", "50011", "50013", "50026"})
# What stands before OKX refuses bursts with it; later the same request passes.
_REFUSED_FOR_NOW = 403
_SOURCES: dict[str, Source] = {
    source.path: source for source in (LatestTrades(), OldTrades(), LatestCandles(), OldCandles(), Funding())
}


class Backfill:
    """The way to the past; `ask` takes requests.

    In a replay nobody could answer a GET: none is made, and what recorded
    answers show to be absent is said.
    """

    def __init__(self, rest_url: str, ask: Callable[[Request], None], replay: bool) -> None:
        """Nothing is remembered from hole to hole: see `pages`."""
        self._replay = replay
        self._rest_url = rest_url.rstrip("/")
        self._ask = ask

    def refill(self, hole: Hole) -> bool:
        """Ask for the beginning of a hole; see `Refilling.refill`."""
        path = _path_of(hole)
        if path is None or self._replay:
            return False
        self._request(Page(path, hole))
        return True

    def reply(self, frame: Frame) -> Sequence[Message]:
        """Take the answer to a page: return what was missing, ask for the rest; raises ParseError."""
        page = Page.read(frame.tag or "")
        source = _SOURCES.get(page.source)
        if source is None:
            raise ParseError(f"no endpoint of ours: {page.source[:60]!r}")
        if frame.status != 200:
            self._refused(page, frame.status, refusal_if_any(frame.payload))
            return ()
        try:
            refused = refusal(frame.payload)
            answer = source.read(page.hole, frame) if refused is None else None
        except ParseError as error:
            self._again(page, f"the exchange's answer is none: {error}")
            raise
        if answer is None:
            self._refused(page, frame.status, refused)
            return ()
        self._follow(page, source, answer)
        return answer.events

    def _refused(self, page: Page, status: int, refused: Refusal | None) -> None:
        """Ask again or elsewhere what is refused for now; else it is absent for the exchange's reason."""
        reason = " ".join([f"HTTP {status}"] * (status != 200) + [str(refused)] * (refused is not None))
        for_now = status == _REFUSED_FOR_NOW or (refused is not None and refused.code in _BUSY)
        if for_now or _SOURCES[page.source].older is not None:
            self._again(page, reason)
        else:
            self._say_absent(page.hole, reason)

    def _follow(self, page: Page, source: Source, answer: Answer) -> None:
        """Say what the answer shows to be absent, or ask elsewhere, and go on behind it."""
        hole, window = page.hole, source.window(page.hole)
        if source.older is not None:
            self._look_further_back(Page(source.older, hole), absent(hole, window, answer.numbers))
            known = window
        else:
            known = window[: bisect_right(window, answer.reached)]
            for gap in absent(hole, known, answer.numbers):
                self._say_absent(gap, NOT_LISTED)
        rest = self._behind(page, source, known[-1], source.settled(known, answer)) if known else page
        if rest is None:
            return
        if len(known) == len(window):
            self._request(evolve(rest, tries=0))
        else:
            self._again(rest, NOT_LISTED)

    def _look_further_back(self, page: Page, gaps: Iterable[Hole]) -> None:
        """Ask for all these where more is kept."""
        found = list(gaps)
        if found:
            count = sum(gap.count for gap in found)
            self._request(evolve(page, hole=evolve(page.hole, first=found[0].first, last=found[-1].last, count=count)))

    def _behind(self, page: Page, source: Source, number: int, settled: int) -> Page | None:
        """Return the page of what lies behind a number, None where that is the end."""
        hole = page.hole
        first = source.behind(hole, number)
        if first > hole.last:
            return None
        return evolve(page, hole=evolve(hole, first=first, count=max(hole.count - settled, 1)))

    def _again(self, page: Page, reason: str) -> None:
        """Ask for the same a little later, or where more is kept; after a few times, give it up."""
        waits = _FUNDING_WAITS_S if page.hole.channel == "funding" else _WAITS_S
        older = _SOURCES[page.source].older
        if older is not None:
            self._request(Page(older, page.hole))
        elif page.tries < len(waits):
            self._request(evolve(page, tries=page.tries + 1), waits[page.tries])
        else:
            self._pass_over(page, reason)

    def _pass_over(self, page: Page, reason: str) -> None:
        """Give up what one request asks for, and go on behind it without waiting any more."""
        source, hole = _SOURCES[page.source], page.hole
        window = source.window(hole)
        self._say_absent(evolve(hole, last=window[-1], count=min(hole.count, len(window))), reason)
        rest = self._behind(page, source, window[-1], len(window))
        if rest is not None:
            self._request(rest)

    def _request(self, page: Page, after_s: float = 0.0) -> None:
        if not self._replay:
            source = _SOURCES[page.source]
            url = f"{self._rest_url}{source.path}?{source.query(page.hole)}"
            self._ask(HttpGet(url, page.tag, 1, source.pool, after_s, patient=True))

    def _say_absent(self, hole: Hole, reason: str) -> None:
        self._ask(Absent(hole, reason))


def _path_of(hole: Hole) -> str | None:
    """Return the endpoint to ask first: the newest of its kind where it may have it all."""
    if hole.channel == "trade" and hole.id_space in (None, "fill"):
        return LatestTrades.path if hole.last - hole.first < MOST_TRADES else OldTrades.path
    if hole.channel == "funding":
        return Funding.path
    if hole.channel.startswith("candle_") and hole.channel.removeprefix("candle_") in BAR_OF:
        return LatestCandles.path if hole.count <= MOST_LATEST_CANDLES else OldCandles.path
    return None
