"""Numbers of our own for updates that an exchange does not number, or not each with another.

Made of what the exchange gives, its time in ns or its engine's number, and one
more where two updates have the same. Stores tell updates apart by their number,
and a reader sees by it that one follows on another. A second connection gives
the same numbers but where it begins among updates of one instant.
"""


class Rising:
    """The numbers of one stream on one connection; `last` is the last one taken, None before the first."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        """Start with none given."""
        self.last: int | None = None

    def next(self, given: int) -> int:
        """Return the number of an update to which the exchange gave `given`: above every number taken before."""
        return given if self.last is None else max(given, self.last + 1)

    def take(self, number: int) -> None:
        """Note that a number was given away: apart from `next`, so that a frame that fails uses none up."""
        self.last = number
