"""The section `[capture]`."""

from typing import Literal

from attrs import define, validators

from ..setting import setting


@define(kw_only=True)
class CaptureSettings:
    """The section `[capture]`."""

    path: str = setting(
        "", "Folder that gets every frame of a run, in both directions, for `jrr replay`; empty captures nothing."
    )
    max_bytes: int = setting(
        10_000_000_000, "Most bytes of captures in the folder, those of earlier runs among them.",
        validator=validators.ge(1_000_000),
    )  # fmt: skip
    full: Literal["oldest", "stop"] = setting(
        "oldest", "What happens at max_bytes: the oldest files are deleted, or capturing stops. Collecting goes on."
    )
    rotate_bytes: int = setting(
        256_000_000, "Size at which another file is begun; at most a quarter of max_bytes.",
        validator=validators.ge(100_000),
    )  # fmt: skip
    rotate_s: float = setting(3600.0, "Seconds after which another file is begun.", validator=validators.gt(0))
    flush_s: float = setting(0.1, "Seconds a frame may wait before it is on disk.", validator=validators.gt(0))
