"""Settings of the store, read from `[sinks.sqlite]`."""

from typing import Literal

from attrs import define, validators

from jrr_core.setting import setting

_positive = validators.gt(0)


@define(kw_only=True)
class StorageConfig:
    """Where the file is and how it is written."""

    path: str = setting("market.db", "File to write; made if it does not exist, its directory must exist.")
    candles: Literal["closed", "all"] = setting(
        "closed",
        "Which candles to keep: closed ones only, or also the latest state of the open one.",
        validator=validators.in_(("closed", "all")),
    )
    max_rows: int = setting(5000, "Events written in one transaction at most.", validator=_positive)
    max_age_s: float = setting(0.02, "Seconds an event waits for its transaction at most.", validator=_positive)
    synchronous: Literal["off", "normal", "full"] = setting(
        "normal",
        "What a power cut may cost: the last seconds (normal), nothing (full), the file (off). "
        "A crash of the process costs nothing with any of them.",
        validator=validators.in_(("off", "normal", "full")),
    )
    busy_timeout_s: float = setting(
        5.0,
        "Seconds to wait for another program that locks the file before the batch is tried again later.",
        validator=validators.ge(0),
    )
