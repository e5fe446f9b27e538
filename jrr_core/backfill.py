"""Fetches again over REST what did not come: the way through an exchange's endpoints, for parsers (`Refilling`).

Each answer leads to the next request, and each request starts higher than the
one before, goes to an endpoint that reaches further back, or is the last of a
few repetitions, so a hole costs a bounded number of them. Does no I/O and
remembers nothing from hole to hole (see `pages`); requests go out through `ask`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from attrs import define, evolve

from .endpoints import Answer, Endpoint
from .errors import ParseError
from .events import Message
from .frame import Absent, Frame, Hole, Request
from .pages import Page, absent

NOT_LISTED = "the exchange does not list them"
# Answers come from caches and databases behind the engine: what is not there yet is asked for again after so long.
_WAITS_S = (1.0, 3.0, 10.0)
_FUNDING_WAITS_S = (5.0, 30.0, 120.0)


@define(frozen=True)
class Refusal:
    """The exchange gave no answer, for this reason, and what that means for the rest.

    `then`: "again" a little later, "behind" it lies what the same endpoint
    may still give, or "never" for all of the hole.
    """

    reason: str
    then: Literal["again", "behind", "never"] = "never"


class Backfill:
    """The way to the past of one exchange.

    `first` names the endpoint to ask first for a hole, None where there is
    none. `refused` reads a reply that is no answer and gives None for any
    other; it may raise ParseError for what is neither. In a `replay` nobody
    could answer a GET: none is made, and what recorded answers show to be
    absent is said.
    """

    def __init__(
        self,
        endpoints: Iterable[Endpoint],
        first: Callable[[Hole], str | None],
        refused: Callable[[Frame], Refusal | None],
        ask: Callable[[Request], None],
        replay: bool,
    ) -> None:
        """Take the endpoints by name; `ask` takes requests."""
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._first, self._refused = first, refused
        self._ask = ask
        self._replay = replay

    def refill(self, hole: Hole) -> bool:
        """Ask for the beginning of a hole; see `Refilling.refill`."""
        name = self._first(hole)
        if name is None or self._replay:
            return False
        self._request(Page(name, hole))
        return True

    def reply(self, frame: Frame) -> Sequence[Message]:
        """Take the answer to a page: return what was missing, ask for the rest; raises ParseError."""
        page = Page.read(frame.tag or "")
        endpoint = self._endpoints.get(page.source)
        if endpoint is None:
            raise ParseError(f"no endpoint of ours: {page.source[:60]!r}")
        try:
            refusal = self._refused(frame)
            answer = endpoint.read(page.hole, frame) if refusal is None else None
        except ParseError as error:
            self._again(page, f"the exchange's answer is none: {error}")
            raise
        if answer is None:
            assert refusal is not None
            self._give_way(page, endpoint, refusal)
            return ()
        self._follow(page, endpoint, answer)
        return answer.events

    def _give_way(self, page: Page, endpoint: Endpoint, refusal: Refusal) -> None:
        """Ask again or elsewhere what is refused for now; else it is absent for the exchange's reason."""
        if refusal.then == "again" or endpoint.older is not None:
            self._again(page, refusal.reason)
        elif refusal.then == "behind":
            self._pass_over(evolve(page, tries=len(_WAITS_S)), refusal.reason)
        else:
            self._ask(Absent(page.hole, refusal.reason))

    def _follow(self, page: Page, endpoint: Endpoint, answer: Answer) -> None:
        """Say what the answer shows to be absent, or ask elsewhere, and go on behind it."""
        hole, window, known = page.hole, endpoint.window(page.hole), answer.known
        for number in answer.unused:
            self._ask(Absent(evolve(hole, first=number, last=number, count=1)))
        if endpoint.older is not None:
            self._look_further_back(Page(endpoint.older, hole), absent(hole, window, answer.listed))
            known = window
        else:
            for gap in absent(hole, known, answer.listed):
                self._ask(Absent(gap, NOT_LISTED))
        rest = self._behind(page, endpoint, known[-1], answer.settled, answer.ts_reached) if known else page
        if rest is None:
            return
        if known and known[-1] >= window[-1]:
            self._request(evolve(rest, tries=0))
        else:
            self._again(rest, NOT_LISTED)

    def _look_further_back(self, page: Page, gaps: Iterable[Hole]) -> None:
        """Ask for all these where more is kept."""
        found = list(gaps)
        if found:
            count = sum(gap.count for gap in found)
            self._request(evolve(page, hole=evolve(page.hole, first=found[0].first, last=found[-1].last, count=count)))

    def _behind(
        self, page: Page, endpoint: Endpoint, number: int, settled: int, ts_reached: int | None = None
    ) -> Page | None:
        """Return the page of what lies behind a number, which happened at `ts_reached`; None where that is the end."""
        hole = page.hole
        first = endpoint.behind(hole, number)
        if first > hole.last:
            return None
        since = hole.ts_from if ts_reached is None else ts_reached
        return evolve(page, hole=evolve(hole, first=first, count=max(hole.count - settled, 1), ts_from=since))

    def _again(self, page: Page, reason: str) -> None:
        """Ask for the same a little later, or where more is kept; after a few times, give it up."""
        waits = _FUNDING_WAITS_S if page.hole.channel == "funding" else _WAITS_S
        older = self._endpoints[page.source].older
        if older is not None:
            self._request(Page(older, page.hole))
        elif page.tries < len(waits):
            self._request(evolve(page, tries=page.tries + 1), waits[page.tries])
        else:
            self._pass_over(page, reason)

    def _pass_over(self, page: Page, reason: str) -> None:
        """Give up what one request asks for, and go on behind it without waiting any more."""
        endpoint, hole = self._endpoints[page.source], page.hole
        window = endpoint.window(hole)
        self._ask(Absent(evolve(hole, last=window[-1], count=min(hole.count, len(window))), reason))
        rest = self._behind(page, endpoint, window[-1], len(window))
        if rest is not None:
            self._request(rest)

    def _request(self, page: Page, after_s: float = 0.0) -> None:
        if not self._replay:
            request = self._endpoints[page.source].request(page.hole)
            self._ask(evolve(request, tag=page.tag, after_s=after_s, patient=True))
