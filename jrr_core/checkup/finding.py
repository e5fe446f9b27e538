"""One thing tried."""

from typing import Literal

from attrs import define

State = Literal["ok", "warning", "error"]


@define(frozen=True)
class Finding:
    """One thing tried: how it went, and what to do if it did not go well."""

    state: State
    what: str
    text: str
    cure: str = ""
