"""This machine: folders, disk space, descriptors, ports and sockets of its own."""

import resource
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

from ..config import Config
from ..control.settings import socket_path
from ..errors import ConfigError
from ..eventloop import loop_in_use
from ..observe.address import address_of
from ..route import transport_in_use
from ..sink import Sink
from .finding import Finding

# Descriptors beside those of connections: store, log, spool, capture, control, metrics, requests under way.
_OTHER_FILES = 100
_FEW_DAYS, _SOON_DAYS = 30.0, 2.0


def check_folder(section: str, path: str) -> Iterator[Finding]:
    """Yield whether a folder can be written, or made; nothing where none is set."""
    if not path:
        return
    folder = Path(path)
    existing = _existing(folder)
    try:
        # Permissions alone do not tell: root may do anything but write to a read-only file system.
        with TemporaryFile(dir=existing):
            yield Finding("ok", section, f"{folder} can be written")
    except OSError as error:
        text = f"{folder} cannot be written: {error.strerror}"
        yield Finding("error", section, text, f"set {section}.path to another folder")


def check_libraries(config: Config) -> Finding:
    """Return what carries WebSockets and runs the tasks; raises ConfigError for what is asked for and not installed."""
    transport, loop = transport_in_use(config.network.transport), loop_in_use(config.run.loop)
    return Finding("ok", "libraries", f"WebSockets by {transport}, event loop of {loop}")


def check_disk(sink: Sink, bytes_per_day: float | None) -> Iterator[Finding]:
    """Yield how long the disk of a store's file or folder lasts at what is planned; nothing for stores elsewhere."""
    path = getattr(getattr(sink, "settings", None), "path", None)
    if not isinstance(path, str) or bytes_per_day is None:
        return
    folder = _existing(Path(path).expanduser().absolute().parent)
    free = shutil.disk_usage(folder).free
    days = free / bytes_per_day if bytes_per_day > 0 else float("inf")
    text = (
        f"{free / 1e9:,.1f} GB free, {bytes_per_day / 1e9:,.2f} GB a day by `jrr plan`: {min(days, 99_999):,.0f} days"
    )
    cure = f"free space, subscribe less, or let sinks.{sink.name} write to a larger disk"
    state = "error" if days < _SOON_DAYS else "warning" if days < _FEW_DAYS else "ok"
    yield Finding(state, f"disk of {sink.name}", text, "" if state == "ok" else cure)  # type: ignore[arg-type]


def check_descriptors(connections: int) -> Finding:
    """Return whether the limit of open files leaves room for so many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + _OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return Finding("ok", "open files", f"{soft:,} are allowed, about {needed:,} are needed")
    raised = (
        f"`ulimit -n {needed}`" if hard == resource.RLIM_INFINITY or hard >= needed else "LimitNOFILE of the service"
    )
    return Finding("error", "open files", f"{soft:,} are allowed, about {needed:,} are needed", f"raise it: {raised}")


def check_ports(config: Config) -> Iterator[Finding]:
    """Yield whether metrics can listen, and a control socket be made."""
    try:
        if config.metrics.listen:
            yield _check_port(config.metrics.listen)
        if config.control.path:
            socket_path(config.control.path)
    except ConfigError as error:
        yield Finding("error", "settings", str(error), "correct it")


def _check_port(listen: str) -> Finding:
    address = address_of(listen, "metrics.listen")
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.create_server((address.host, address.port), family=family):
            return Finding("ok", "metrics", f"{address} is free")
    except OSError as error:
        text = f"cannot listen at {address}: {error.strerror or error}"
        return Finding("warning", "metrics", text, "another collector may run: set metrics.listen to another address")


def _existing(folder: Path) -> Path:
    return next((path for path in (folder, *folder.parents) if path.exists()), Path())
