"""Disks that jrr writes to, and the capture that is written to one."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..alarms import Alarms


def look_at_disks(folders: Iterable[Path], least_bytes: int, alarms: Alarms) -> None:
    """Set and end the alarm about disks nearly full; folders that are not there yet count as where they would be."""
    devices: dict[int, Path] = {}
    for folder in folders:
        existing = next((path for path in (folder, *folder.parents) if path.exists()), Path())
        devices.setdefault(existing.stat().st_dev, existing)
    full = {}
    for folder in devices.values():
        free = shutil.disk_usage(folder).free
        if free < least_bytes:
            full[f"disk of {folder.resolve()}"] = free
    for subject, free in full.items():
        cure = "free space, or write elsewhere: what fits nowhere is lost (alarms.disk_free_bytes sets when to tell)"
        alarms.set("disk_nearly_full", subject, f"{free:,} bytes are free", cure)
    alarms.keep("disk_nearly_full", full)


def look_at_capture(capture: Mapping[str, Any] | None, alarms: Alarms) -> None:
    """Set and end the alarm about a capture that cannot be written."""
    if capture is None:
        return
    if capture["trouble"]:
        text = f"{capture['trouble']}; {capture['lost']:,} entries are missing in it"
        alarms.set("capture_losing", "capture", text, "free space where capture.path is; collecting goes on")
    else:
        alarms.clear("capture_losing", "capture")
