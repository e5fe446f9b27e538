"""On what, and with which versions, figures were measured."""

import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("jrr-core", "websockets", "picows", "uvloop", "msgspec", "asyncpg", "attrs")


def about(rival: str) -> dict[str, Any]:
    """Return machine, versions and the moment; `rival` is cryptofeed's version, or why it is not there."""
    return {
        "started": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "machine": {
            "cpu": _processor(), "cores": os.cpu_count(), "system": f"{platform.system()} {platform.release()}",
            "load_average": os.getloadavg()[0],
        },
        "versions": {
            "python": sys.version.split()[0], **{name: _version(name) for name in _PACKAGES}, "cryptofeed": rival,
        },
    }  # fmt: skip


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
