"""The trades of one numbering: their ids as runs, and what that says of them."""

from ..connector import Numbering
from ..events import Trade
from .finding import Rules, Span, StreamAudit
from .ledger import Seen
from .runs import MOST, Runs
from .unused import Unused

_NO_PLUGIN = "no installed plugin tells how this exchange numbers its trades"
_SPARSE = "these ids are not dense by what the exchange's plugin says"
_SCATTERED = f"more than {MOST:,} holes: these ids are not dense"
_TEXT = "ids that are no numbers"
_TWICE = "sum only one of the rows that cover the same ids"


class Numbered:
    """The trades of one `id_space` of one symbol; `result` is what is said of them."""

    def __init__(self, result: StreamAudit, rules: Rules | None, space: str | None) -> None:
        """Start without trades; with no rules, or none for this space, rows are counted and not judged."""
        self.result = result
        self.runs = Runs()
        self.rows = 0
        self._numbering: Numbering | None = None if rules is None else rules.numbering.get(space)
        if self._numbering is None:
            result.unjudged = _NO_PLUGIN if rules is None else _SPARSE
        self._early, self._late = 0, 0

    def take(self, trade: Trade, when: Span) -> tuple[int, int] | None:
        """Take a trade; return the first and the last id it covers, None where its id says nothing."""
        self.rows += 1
        if self._numbering is None:
            return None
        text = trade.trade_id
        if not (text.isascii() and text.isdigit()):
            self.result.unjudged = _TEXT
            return None
        last = int(text)
        first = last if self._numbering == "each" else last - trade.count + 1
        if not len(self.runs):
            self._early = when.early
        self._early, self._late = min(self._early, when.early), max(self._late, when.late)
        self.runs.add(first, last, when)
        return first, last

    def seen(self, channel: str, unused: Unused, alone: bool) -> Seen | None:
        """Return what the ledger is to be held against, None where nothing can be said."""
        runs, result = self.runs, self.result
        result.rows = self.rows
        if runs.scattered:
            result.unjudged = _SCATTERED
        if result.unjudged is not None:
            return None
        holes = [*unused.without(runs.holes())]
        result.runs = len(holes) + (len(runs) > 0)
        if runs.example is not None:
            first, at = runs.example
            text = f"{runs.twice:,} ids are covered by more than one row, first {first}"
            result.find("stored twice", at, at, text, _TWICE, first=first, count=runs.twice)
        return Seen(
            result.exchange, channel, result.symbol, "trades", holes, Span(self._early, self._late),
            self._numbering == "each", alone,
        )  # fmt: skip
