"""Settings of the store, read from `[sinks.parquet]`."""

from attrs import define, validators

from jrr_core.setting import setting

_positive = validators.gt(0)


@define(kw_only=True)
class StorageConfig:
    """Where the folder is and how it is written."""

    path: str = setting(
        "market-parquet", "Folder to write; made if it does not exist, the directory it is in must exist."
    )
    roll_s: float = setting(
        300.0, "Seconds a stored row waits in the journal at most before it is in a Parquet file.", validator=_positive
    )
    file_bytes: int = setting(
        16 * 2**20, "Files of a date that is over are merged into files of this size.", validator=_positive
    )
    keys_days: int = setting(
        7, "Days for which an event that comes again is known to be stored.", validator=validators.ge(1)
    )
    max_rows: int = setting(5000, "Events written in one transaction at most.", validator=_positive)
    max_age_s: float = setting(0.1, "Seconds an event waits for its transaction at most.", validator=_positive)
    busy_timeout_s: float = setting(
        5.0,
        "Seconds to wait for another program that locks the journal before the batch is tried again later.",
        validator=validators.ge(0),
    )
