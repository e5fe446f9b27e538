"""Numbers for updates that Kraken does not number: the time of each, in ns, and one more where two have the same.

Stores tell updates apart by their number, and a reader sees by it that one
follows on another. Times are the exchange's, so a second connection gives the
same numbers but where it begins among updates of one instant.
"""


class Numbers:
    """The numbers of one stream on one connection."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        """Start with none given."""
        self.last: int | None = None

    def next(self, ts_event: int) -> int:
        """Return the number of an update that happened then, above every number given before; `take` it afterwards."""
        return ts_event if self.last is None else max(ts_event, self.last + 1)

    def take(self, number: int) -> None:
        """Note that a number was given."""
        self.last = number
