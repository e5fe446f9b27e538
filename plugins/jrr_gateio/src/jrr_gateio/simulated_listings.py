"""What the simulated Gate lists: rows of REST, and the Instruments a client should make of them."""

from collections.abc import Mapping
from decimal import Decimal

from attrs import define

from jrr_core.exact import plain
from jrr_core.instrument import Instrument
from jrr_core.testing.market import Listing

from .products import FUTURES, SPOT, Product


@define(frozen=True)
class Contract:
    """A listing with what Gate says of it; `multiplier` is what a contract is worth in the base currency."""

    product: Product
    listing: Listing
    multiplier: Decimal | None = None

    @property
    def symbol(self) -> str:
        """Gate's symbol."""
        return self.listing.symbol

    def row(self) -> Mapping[str, object]:
        """Return the row of the product's list."""
        base, _, quote = self.symbol.partition("_")
        if self.multiplier is None:
            return {
                "id": self.symbol, "base": base, "quote": quote, "fee": "0.2", "trade_status": "tradable",
                "precision": _decimals(self.listing.tick), "amount_precision": _decimals(self.listing.lot),
            }  # fmt: skip
        return {
            "name": self.symbol, "order_price_round": plain(self.listing.tick),
            "order_size_min": plain(self.listing.lot), "quanto_multiplier": plain(self.multiplier),
            "funding_interval": 28800, "in_delisting": False,
        }  # fmt: skip

    def instrument(self) -> Instrument:
        """Return what a client should make of the row."""
        base, _, quote = self.symbol.partition("_")
        futures = self.multiplier is not None
        return Instrument(
            self.product.exchange,
            self.symbol,
            base,
            quote,
            "USDT" if futures else None,
            "perpetual" if futures else "spot",
            self.listing.tick,
            self.listing.lot,
            self.multiplier,
            base if futures else None,
            f"{base}-{quote}-PERP" if futures else f"{base}-{quote}",
            None,
            "trading" if futures else "tradable",
        )


def _decimals(step: Decimal) -> int:
    return -int(step.as_tuple().exponent)


def _contract(product: Product, symbol: str, price: str, tick: str, lot: str, multiplier: str = "") -> Contract:
    listing = Listing(symbol, Decimal(price), Decimal(tick), Decimal(lot), derivative=product.futures)
    return Contract(product, listing, Decimal(multiplier) if multiplier else None)


CONTRACTS = {
    SPOT: (
        _contract(SPOT, "BTC_USDT", "64000", "0.1", "0.000001"),
        _contract(SPOT, "ETH_USDT", "3100", "0.01", "0.0001"),
    ),
    FUTURES: (
        _contract(FUTURES, "BTC_USDT", "64010", "0.1", "1", "0.0001"),
        _contract(FUTURES, "ETH_USDT", "3101", "0.01", "0.1", "0.01"),
    ),
}
