"""What the rows of Gate's books mean: `obu`, `order_book_update`, and the snapshot over REST that begins the latter."""

from jrr_core.errors import ParseError
from jrr_core.events import BookDelta, BookSnapshot
from jrr_core.levels import Levels
from jrr_core.wire import Raw, Struct, decoder

from .frames import NS_PER_MS, Millis, Name, Number, text_of
from .products import Product


class BookRow(Struct):
    """The result of `obu`: `full` is the whole book; a row without levels moves the number on.

    `{"t":1754006460600,"s":"ob.BTC_USDT.400","u":25847129996,"U":25847129970,"b":[["115576.7","0.050772"]],
    "a":[["115745.7","0"]]}`
    """

    t: Millis
    s: Name
    u: Number
    U: Number | None = None
    full: bool = False
    b: Raw = Raw()
    a: Raw = Raw()


book_row = decoder(BookRow)


class _PriceSize(Struct):
    p: str
    s: Raw


_price_sizes = decoder(list[_PriceSize])


def levels(raw: Raw) -> Levels:
    """Return one side of a book: rows of price and size, or objects of `p` and `s`; none where it was not sent."""
    text = bytes(raw)
    if text in (b"", b"null", b"[]"):
        return Levels()
    if text[:2] == b"[{":
        return Levels([(row.p, text_of(row.s)) for row in _price_sizes(raw)])
    return Levels.from_json(text)


class DiffRow(Struct):
    """The result of `order_book_update`: updates `U` to `u`, or the whole book (`full`).

    `{"t":1682689045398,"e":"depthUpdate","E":1682689045,"s":"BTC_USDT","U":13934528633,"u":13934528633,
    "b":[["29291.4","0.5124"]],"a":[]}`; futures write levels as `{"p":"77232.2","s":2100}`.
    """

    t: Millis
    s: Name
    U: Number
    u: Number
    full: bool = False
    b: Raw = Raw()
    a: Raw = Raw()


diff_row = decoder(DiffRow, ("E", "e"))


def diff(product: Product, row: DiffRow, ts_recv: int) -> BookDelta | BookSnapshot:
    """Return an update, or the whole book in its place; raises ParseError."""
    bids, asks = levels(row.b), levels(row.a)
    place = (product.exchange, row.s, row.t * NS_PER_MS, ts_recv)
    if row.full:
        return BookSnapshot(*place, bids, asks, None, row.u)
    if row.u < row.U:
        raise ParseError(f"updates {row.U} to the lower {row.u}")
    return BookDelta(*place, bids, asks, row.U, row.u, None)


class _Seed(Struct):
    """`{"id":123456,"current":1623898993123,"update":1623898993121,"asks":[["1.52","1.151"]],"bids":[]}`."""

    id: Number
    asks: Raw
    bids: Raw


_seed = decoder(_Seed, ("current", "update"))


def seed(product: Product, symbol: str, payload: str | bytes, ts_recv: int) -> BookSnapshot:
    """Read the snapshot that `order_book_update` begins with; its time is not that of its number, so there is none."""
    row = _seed(payload)
    return BookSnapshot(product.exchange, symbol, None, ts_recv, levels(row.bids), levels(row.asks), None, row.id)
