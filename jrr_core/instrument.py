"""What can be subscribed: one Instrument per symbol of an exchange, and finding symbols by name or pattern."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import ClassVar, Literal

from attrs import define

from .errors import ConfigError

Kind = Literal["spot", "perpetual", "future", "option"]


@define(frozen=True, weakref_slot=False)
class Instrument:
    """One tradable symbol and what its prices and amounts mean.

    `contract_size` is what one contract is worth in `contract_currency`;
    both None where amounts are in the base currency. `canonical` is the same
    on every exchange: "BTC-USDT", "BTC-USDT-PERP", "BTC-USDT-261225".
    `expiry` is int ns UTC. `status` is the exchange's own word; `active` is
    whether it trades now.
    """

    exchange: str
    symbol: str
    base: str
    quote: str
    settle: str | None
    kind: Kind
    tick_size: Decimal | None
    lot_size: Decimal | None
    contract_size: Decimal | None
    contract_currency: str | None
    canonical: str
    expiry: int | None = None
    status: str = ""
    active: bool = True

    type: ClassVar[str] = "instrument"


class Instruments:
    """The instruments of one exchange, found by native symbol, canonical symbol or pattern."""

    def __init__(self, exchange: str, listed: Iterable[Instrument]) -> None:
        """Index what the exchange lists."""
        self.exchange = exchange
        self.by_symbol = {item.symbol: item for item in listed}
        self._by_canonical: dict[str, Instrument] = {}
        for item in self.by_symbol.values():
            known = self._by_canonical.get(item.canonical)
            if known is None or (item.active and not known.active):
                self._by_canonical[item.canonical] = item

    def __len__(self) -> int:
        return len(self.by_symbol)

    def matching(self, pattern: str) -> Sequence[str]:
        """Return the native symbols of the active instruments that a pattern fits, sorted; none may be."""
        return sorted(
            item.symbol
            for item in self.by_symbol.values()
            if item.active and (fnmatchcase(item.symbol, pattern) or fnmatchcase(item.canonical, pattern))
        )

    def resolve(self, symbol: str) -> Sequence[str]:
        """Return the native symbols that `symbol` means: itself, its canonical name, or a `*` pattern's matches.

        A pattern takes active instruments only. Raises ConfigError with the
        nearest names when nothing matches.
        """
        if "*" in symbol or "?" in symbol:
            found = self.matching(symbol)
            if not found:
                raise ConfigError(
                    f"{self.exchange}: no active instrument matches {symbol!r}; "
                    f"`jrr instruments {self.exchange}` lists them"
                )
            return found
        if symbol in self.by_symbol:
            return (symbol,)
        upper = symbol.upper()
        item = self._by_canonical.get(symbol) or self._by_canonical.get(upper) or self.by_symbol.get(upper)
        if item is not None:
            return (item.symbol,)
        near = get_close_matches(upper, [*self.by_symbol, *self._by_canonical], n=3)
        hint = f"; did you mean {', '.join(near)}? " if near else "; "
        raise ConfigError(f"{self.exchange} has no symbol {symbol!r}{hint}`jrr instruments {self.exchange}` lists them")
