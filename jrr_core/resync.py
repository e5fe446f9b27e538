"""What to do about a book that broke: tell what is missing, and ask for the book anew without flooding the exchange.

Knows neither sequences' rules nor wires; `book_stream` and parsers of other
books decide that something is missing, and what asking means.
"""

from collections.abc import Callable, Sequence

from .events import Gap, Message

_S = 1_000_000_000
_WAITING = "updates until the new snapshot"


class Resync:
    """The breaks of one symbol's book on one connection, told for each of `channels`.

    `ask` is called when the book must be asked for anew: at once at a break,
    and again while it lasts, at most once in `first_s`, then half as often
    each time up to `most_s`. After `most_s` of peace counting begins anew.
    """

    def __init__(
        self,
        exchange: str,
        symbol: str,
        channels: Sequence[str],
        ask: Callable[[], None],
        first_s: float = 5,
        most_s: float = 300,
    ) -> None:
        """Start unbroken, with no good moment known."""
        self.broken = False
        self._exchange, self._symbol = exchange, symbol
        self._channels = tuple(channels)
        self._ask = ask
        self._first_s, self._most_s = first_s, most_s
        self._delay_s = first_s
        self._ask_at = 0
        self._told_at = 0
        self._good: int | None = None

    def good(self, ts_event: int | None) -> None:
        """Note that the book was whole at this moment (int ns, the exchange's)."""
        self._good = ts_event

    def refuse(
        self, reason: str, ts_event: int | None, ts_recv: int, sequences: tuple[int, int] | None
    ) -> list[Message]:
        """Return the Gaps of an update that cannot be applied; `sequences` are the last one known and this one's.

        While the break lasts they are told at most once a second.
        """
        events: list[Message] = []
        if not self.broken:
            events = self._gaps(reason, ts_event, ts_recv, sequences)
            self.broken = True
            if ts_recv > self._ask_at + self._most_s * _S:
                self._delay_s = self._first_s
        elif ts_recv - self._told_at >= _S:
            # Should the connection end now, the ledger must not take the time since the break for complete.
            events = self._gaps(_WAITING, ts_event, ts_recv, sequences)
        if ts_recv >= self._ask_at:
            self._ask()
            self._ask_at = ts_recv + int(self._delay_s * _S)
            self._delay_s = min(self._delay_s * 2, self._most_s)
        return events

    def mend(
        self, ts_event: int | None, ts_recv: int, sequences: tuple[int, int] | None, unproved: str | None = None
    ) -> list[Message]:
        """Note that a whole book came; return the Gaps up to it if the book was broken, or if it is `unproved`."""
        reason = _WAITING if self.broken else unproved
        events = [] if reason is None else self._gaps(reason, ts_event, ts_recv, sequences)
        self.broken = False
        self._good = ts_event
        return events

    def _gaps(
        self, reason: str, ts_event: int | None, ts_recv: int, sequences: tuple[int, int] | None
    ) -> list[Message]:
        """Return a Gap for each channel, from where the last one ended, or the last good moment, to this one."""
        told: list[Message] = [
            Gap(
                self._exchange, self._symbol, ts_event, ts_recv, what=channel, session="", reason=reason,
                ts_from=self._good, ts_to=ts_event, sequences=sequences,
            )
            for channel in self._channels
        ]  # fmt: skip
        self._good = ts_event
        self._told_at = ts_recv
        return told
