"""Frames to disk and back: captures of our own, and recorded lines of `<receive ns> <JSON>`."""

from attrs import define, validators

from .setting import setting


@define(kw_only=True)
class CaptureSettings:
    """The section `[capture]`."""

    path: str = setting("", "Folder that gets one file with every frame of a run; empty captures nothing.")
    max_bytes: int = setting(
        10_000_000_000, "Size of a run's file at which capturing stops; collecting goes on.", validator=validators.ge(0)
    )
    flush_s: float = setting(1.0, "Seconds a frame may wait before it is on disk.", validator=validators.ge(0))
