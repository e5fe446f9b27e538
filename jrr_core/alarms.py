"""What needs somebody's attention now: each told once when it begins and once when it ends, with its cure.

Alarms are states, not events: who sets one again while it stands changes
nothing. Only reads and says; nothing of the run depends on it.
"""

import logging
import time
from collections.abc import Callable, Iterable

from attrs import define, validators

from .journal import say
from .setting import setting

_Key = tuple[str, str | None, str]


@define(kw_only=True)
class AlarmSettings:
    """The section `[alarms]`; silence of streams is set per exchange: `first_data_s`, `quiet_s`."""

    lag_s: float = setting(
        5.0, "Age of stored events, or time from the exchange to receipt, that is too much.",
        validator=validators.gt(0),
    )  # fmt: skip
    lag_for_s: float = setting(10.0, "Seconds it has to last.", validator=validators.ge(0))
    rejected: int = setting(
        5, "Frames of one exchange not understood within five minutes that are too many.", validator=validators.ge(1)
    )
    clock_s: float = setting(
        1.0, "Seconds that this machine's clock may differ from an exchange's.", validator=validators.gt(0)
    )
    clock_every_s: float = setting(
        600.0, "Seconds between two looks at the exchanges' clocks; 0 for none.", validator=validators.ge(0)
    )
    disk_free_bytes: int = setting(
        1_000_000_000, "Free bytes that a disk jrr writes to should have.", validator=validators.ge(0)
    )


@define(frozen=True)
class Alarm:
    """One thing that is wrong with `subject`; `since_ns` (int ns UTC) is when it was noticed.

    `exchange` is None where it concerns none. `text` says what it means,
    `cure` what to do.
    """

    name: str
    exchange: str | None
    subject: str
    text: str
    cure: str
    since_ns: int


class Alarms:
    """The alarms of one run."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        """Begin with none."""
        self._now_ns = now_ns
        self._standing: dict[_Key, Alarm] = {}

    @property
    def standing(self) -> list[Alarm]:
        """Those that stand, oldest first."""
        return list(self._standing.values())

    def set(self, name: str, subject: str, text: str, cure: str, exchange: str | None = None, **fields: object) -> None:
        """Let an alarm stand; the first time it is a warning in the log, under its name, with `fields`."""
        key = (name, exchange, subject)
        if key in self._standing:
            return
        self._standing[key] = Alarm(name, exchange, subject, text, cure, self._now_ns())
        said = f"{subject}: {text}; {cure}"
        say(logging.WARNING, name, said, exchange=exchange, subject=subject, cure=cure, **fields)

    def clear(self, name: str, subject: str, exchange: str | None = None) -> None:
        """End an alarm, if it stands."""
        alarm = self._standing.pop((name, exchange, subject), None)
        if alarm is not None:
            lasted_s = round((self._now_ns() - alarm.since_ns) / 1e9, 1)
            say(logging.INFO, "alarm_over", f"{subject}: no longer {name} after {lasted_s:g} s",
                alarm=name, exchange=exchange, subject=subject, lasted_s=lasted_s)  # fmt: skip

    def keep(self, name: str, subjects: Iterable[str], exchange: str | None = None) -> None:
        """End the alarms of this name and exchange about anything but `subjects`."""
        kept = set(subjects)
        for alarm in self.standing:
            if (alarm.name, alarm.exchange) == (name, exchange) and alarm.subject not in kept:
                self.clear(name, alarm.subject, exchange)
