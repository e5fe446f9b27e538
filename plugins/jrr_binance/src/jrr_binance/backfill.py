"""Fetches again over REST what did not come: trades, candles, settled funding rates.

Each answer leads to the next request, and each request starts higher than the
one before or is the last of a few repetitions, so a hole costs a bounded
number of them. Does no I/O; requests go out through `ask`.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence

from attrs import evolve

from jrr_core.errors import ParseError
from jrr_core.events import Message
from jrr_core.frame import Absent, Frame, Hole, HttpGet, Request
from jrr_core.pages import TAG, Page, absent

from . import messages
from .history import MOST_ROWS, Aggregates, Answer, Candles, Funding, LatestTrades, OldTrades, Source
from .products import Product

__all__ = ["TAG", "Backfill"]

NOT_LISTED = "the exchange does not list them"
# Answers come from a database behind the engine: what is not there yet is asked for again after so long.
_WAITS_S = (1.0, 3.0, 10.0)
_FUNDING_WAITS_S = (5.0, 30.0, 120.0)
# The firewall refuses bursts with it; later the same request passes.
_REFUSED_FOR_NOW = 403
# "Search window is restricted to recent 2 days": later parts of the hole may lie within them.
_TOO_OLD = -4166


class Backfill:
    """The way to the past of one product.

    `history_url` is the REST address that serves old trades; `ask` takes
    requests. In a replay nobody could answer a GET: none is made, and what
    recorded answers show to be absent is said.
    """

    def __init__(
        self, product: Product, rest_url: str, history_url: str, ask: Callable[[Request], None], replay: bool
    ) -> None:
        """Nothing is remembered from hole to hole: see `pages`."""
        self._replay = replay
        self._product = product
        self._rest_url, self._history_url = rest_url, history_url
        self._ask = ask
        sources: tuple[Source, ...] = (
            LatestTrades(product), OldTrades(product), Aggregates(product), Candles(product), Funding(product)
        )  # fmt: skip
        self._sources = {source.name: source for source in sources}

    def refill(self, hole: Hole) -> bool:
        """Ask for the beginning of a hole; see `Refilling.refill`."""
        name = self._source_of(hole)
        if name is None or self._replay:
            return False
        self._request(Page(name, hole))
        return True

    def _source_of(self, hole: Hole) -> str | None:
        product = self._product
        if hole.channel == "trade":
            if hole.id_space == "agg":
                return Aggregates.name
            if hole.id_space is not None or product.trades_weight is None:
                return None
            # One request to a host that serves the newest trades alone, if it may have them all.
            near = self._history_url != self._rest_url and hole.last - hole.first < MOST_ROWS
            return LatestTrades.name if near else OldTrades.name
        if hole.channel == "funding":
            return Funding.name if product.funding is not None else None
        interval, _, offset = hole.channel.removeprefix("candle_").partition("@")
        known = interval in product.intervals and (not offset or offset in product.candle_offsets)
        return Candles.name if known and hole.channel.startswith("candle_") else None

    def reply(self, frame: Frame) -> Sequence[Message]:
        """Take the answer to a page: return what was missing, ask for the rest; raises ParseError."""
        page = Page.read(frame.tag or "")
        source = self._sources.get(page.source)
        if source is None:
            raise ParseError(f"no endpoint of ours: {page.source[:60]!r}")
        if frame.status != 200:
            self._refused(page, frame)
            return ()
        try:
            answer = source.read(page.hole, frame)
        except ParseError as error:
            self._again(page, f"the exchange's answer is none: {error}")
            raise
        self._follow(page, source, answer)
        return answer.events

    def _refused(self, page: Page, frame: Frame) -> None:
        reason = f"HTTP {frame.status}: {messages.problem(frame.payload)}"
        if frame.status == _REFUSED_FOR_NOW or page.source == LatestTrades.name:
            self._again(page, reason)
        elif messages.problem_code(frame.payload) == _TOO_OLD:
            self._pass_over(evolve(page, tries=len(_WAITS_S)), reason)
        else:
            self._say_absent(page.hole, reason)

    def _follow(self, page: Page, source: Source, answer: Answer) -> None:
        """Say what the answer shows to be absent, and go on behind it."""
        hole = page.hole
        for number in answer.unused:
            self._say_absent(evolve(hole, first=number, last=number, count=1), None)
        if page.source == LatestTrades.name:
            self._look_further_back(page, answer)
            return
        window = source.window(hole)
        if isinstance(window, range) and answer.reached > window[-1]:
            # Ids ascend from the first: those in between do not exist.
            window = range(window[0], min(hole.last, answer.reached) + 1)
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

    def _look_further_back(self, page: Page, answer: Answer) -> None:
        """Ask for what the newest trades do not hold where the old ones are kept."""
        hole = page.hole
        gaps = list(absent(hole, range(hole.first, hole.last + 1), answer.numbers))
        if gaps:
            count = sum(gap.count for gap in gaps)
            self._request(Page(OldTrades.name, evolve(hole, first=gaps[0].first, last=gaps[-1].last, count=count)))

    def _behind(self, page: Page, source: Source, number: int, settled: int) -> Page | None:
        """Return the page of what lies behind a number, None where that is the end."""
        hole = page.hole
        first = source.behind(hole, number)
        if first > hole.last:
            return None
        return evolve(page, hole=evolve(hole, first=first, count=max(hole.count - settled, 1)))

    def _again(self, page: Page, reason: str) -> None:
        """Ask for the same a little later, or elsewhere; after a few times, give it up."""
        if page.source == LatestTrades.name:
            self._request(Page(OldTrades.name, page.hole))
            return
        waits = _FUNDING_WAITS_S if page.hole.channel == "funding" else _WAITS_S
        if page.tries < len(waits):
            self._request(evolve(page, tries=page.tries + 1), waits[page.tries])
        else:
            self._pass_over(page, reason)

    def _pass_over(self, page: Page, reason: str) -> None:
        """Give up what one request asks for, and go on behind it without waiting any more."""
        source, hole = self._sources[page.source], page.hole
        window = source.window(hole)
        self._say_absent(evolve(hole, last=window[-1], count=min(hole.count, len(window))), reason)
        rest = self._behind(page, source, window[-1], len(window))
        if rest is not None:
            self._request(rest)

    def _request(self, page: Page, after_s: float = 0.0) -> None:
        if self._replay:
            return
        source = self._sources[page.source]
        base = self._history_url if page.source == OldTrades.name else self._rest_url
        url = f"{base}{self._product.api}/{page.source}?{source.query(page.hole)}"
        pool, weight = source.weight(page.hole)
        self._ask(HttpGet(url, page.tag, weight, pool, after_s, patient=True))

    def _say_absent(self, hole: Hole, reason: str | None) -> None:
        self._ask(Absent(hole, reason))
