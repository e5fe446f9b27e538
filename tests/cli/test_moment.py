"""Times as users write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.cli.moment import moment, shown
from jrr_core.errors import ConfigError

S = 10**9
NOW = 1_786_526_400 * S  # 2026-08-12T09:20


@pytest.mark.parametrize(
    ("text", "ts"),
    [
        ("now", NOW),
        ("2026-08-12T09:20", NOW),
        ("2026-08-12T09:20:00Z", NOW),
        ("2026-08-12 11:20+02:00", NOW),
        ("20260812T092000", NOW),
        ("2026-08-12", NOW - 33_600 * S),
        ("20260812", NOW - 33_600 * S),
        ("2026-08-12T09:20:00.5", NOW + 500_000_000),
        ("2026-08-12T09:20:00.123456789", NOW + 123_456_789),
        ("2026-08-12T11:20:00.000000001+02:00", NOW + 1),
        ("1786526400000000007", NOW + 7),
        ("0", 0),
        ("-15m", NOW - 900 * S),
        ("-1h30m", NOW - 5400 * S),
        ("-0.5s", NOW - 500_000_000),
        ("-2d", NOW - 172_800 * S),
        ("-1d12h", NOW - 129_600 * S),
        (" -15 ", NOW - 15 * S),
    ],
)
def test_a_time_is_read(text: str, ts: int) -> None:
    assert moment(text, NOW) == ts


@pytest.mark.parametrize("text", ["", "-", "yesterday", "2026-13-01", "1969-12-31", "9" * 30, "-99999999d", "+1h", "٣"])
def test_what_is_no_time_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is not a time since 1970; write 2026-08-12T09:30 \(UTC\)"):
        moment(text, NOW)


def test_a_span_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not a duration"):
        moment("-soon", NOW)


@given(st.integers(0, 2**63 - 1))
def test_what_is_shown_is_read_as_the_same_microsecond(ts: int) -> None:
    assert moment(shown(ts), NOW) == ts // 1000 * 1000
