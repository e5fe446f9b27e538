"""The books of one connection: which symbol a snapshot belongs to, how it is asked for, what if it is refused."""

from collections.abc import Callable, Sequence
from urllib.parse import quote

from jrr_core.errors import ParseError
from jrr_core.events import BookDelta, Message
from jrr_core.frame import Frame, HttpGet
from jrr_core.seeded_book import CONTIGUOUS, LINKED, SeededBook
from jrr_core.wire import Raw

from . import messages
from .products import Product

TAG = "depth:"
# A snapshot the exchange refuses (unknown symbol, bad parameter) is tried again so much later.
_REFUSED_RETRY_S = 60.0
# Snapshots before any update of a recording; more are spot's tops of book without their wrapper, of no known symbol.
_MOST_HELD = 10


class Books:
    """One SeededBook per symbol.

    `ask` takes requests; None where nobody could answer them (replay).
    """

    def __init__(self, product: Product, rest_url: str, limit: int, ask: Callable[[HttpGet], None] | None) -> None:
        """Start without books; `limit` is how many levels a side a snapshot shall have."""
        self._product = product
        self._rules = LINKED if product.linked else CONTIGUOUS
        self._url = f"{rest_url}{product.api}/depth?limit={limit}&symbol="
        self._weight = product.depth_weight(limit)
        self._ask = ask
        self._syncs: dict[str, SeededBook] = {}
        self._refused: set[str] = set()
        self._held: tuple[messages.SnapshotRow, int] | None = None
        self._held_count = 0

    def update(self, update: BookDelta) -> Sequence[Message]:
        """Take an update of any symbol; return what may be published."""
        sync = self._syncs.get(update.symbol)
        if sync is not None:
            return sync.update(update)
        if self._syncs and self._held_count > 1:
            self._held_count = 0
            raise ParseError(
                f"book snapshots without symbol came before any update, and books of several symbols follow: that of "
                f"{next(iter(self._syncs))} may have begun from another's"
            )
        sync = self._open(update.symbol)
        if self._held is None:
            return sync.update(update)
        (row, ts_recv), self._held = self._held, None
        held = messages.snapshot(row, self._product.exchange, update.symbol, ts_recv, None)
        return [*sync.snapshot(held), *sync.update(update)]

    def reply(self, frame: Frame, symbol: str) -> Sequence[Message]:
        """Take the answer to a snapshot request; a refusal is a ParseError once per symbol, then silence."""
        sync = self._syncs.get(symbol)
        if sync is None:
            if self._ask is not None:
                return ()
            sync = self._open(symbol)
        try:
            if frame.status != 200:
                raise ParseError(f"{symbol}: no book snapshot: HTTP {frame.status}: {messages.problem(frame.payload)}")
            row = messages.read_snapshot(frame.payload)
            event = messages.snapshot(row, self._product.exchange, symbol, frame.ts_recv, None)
        except ParseError:
            sync.failed(_REFUSED_RETRY_S)
            if symbol in self._refused:
                return ()
            self._refused.add(symbol)
            raise
        self._refused.discard(symbol)
        return sync.snapshot(event)

    def bare_snapshot(self, payload: Raw | bytes | str, ts_recv: int) -> Sequence[Message]:
        """Take a recorded REST snapshot without tag: it is of the symbol it names, or of the recording's only book.

        Before any book update it is kept for the first symbol to appear, the
        latest of several. Raises ParseError where several symbols could be
        meant, and for more snapshots than a recording begins with.
        """
        row = messages.read_snapshot(payload)
        symbol = row.symbol
        if symbol is None and len(self._syncs) == 1:
            symbol = next(iter(self._syncs))
        if symbol is None:
            # Levels are read now, so that a bad snapshot is this frame's error and not a later one's.
            messages.snapshot(row, self._product.exchange, "", ts_recv, None)
            if self._syncs:
                raise ParseError("a book snapshot names no symbol, and several could be meant")
            if self._held_count == _MOST_HELD:
                raise ParseError("a book snapshot names no symbol, and no update tells whose it is")
            self._held = (row, ts_recv)
            self._held_count += 1
            return ()
        sync = self._syncs.get(symbol) or self._open(symbol)
        return sync.snapshot(messages.snapshot(row, self._product.exchange, symbol, ts_recv, None))

    def _open(self, symbol: str) -> SeededBook:
        ask = self._ask
        request: Callable[[float], None] | None = None
        if ask is not None:
            url, tag = self._url + quote(symbol), TAG + symbol
            request = lambda delay_s: ask(HttpGet(url, tag, self._weight, self._product.pool, delay_s))  # noqa: E731
        sync = self._syncs[symbol] = SeededBook(self._rules, request)
        return sync
