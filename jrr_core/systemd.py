"""Telling systemd how the run goes: the notification protocol of sd_notify(3), one datagram a message.

Without NOTIFY_SOCKET in the environment nothing is sent. Never raises and never
waits: a service manager that does not listen is no reason to stop collecting.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping

_STATUS_S = 10.0


class Systemd:
    """The service manager of this process, if it has one."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        """Read NOTIFY_SOCKET, and WATCHDOG_USEC where it is meant for this process (WATCHDOG_PID)."""
        environ = os.environ if environ is None else environ
        address = environ.get("NOTIFY_SOCKET", "")
        # "@" stands for the zero byte that begins the name of an abstract socket.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        own = str(os.getpid())
        microseconds = environ.get("WATCHDOG_USEC", "") if environ.get("WATCHDOG_PID", own) == own else ""
        self._watchdog_s = int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0

    def ready(self) -> None:
        """Say that it runs, at the start and after a reload."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that it reads its settings again; Type=notify-reload wants the time beside it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    async def run(self, status: Callable[[], str]) -> None:
        """Say READY, then from the event loop how it goes until cancelled, then STOPPING.

        `status()` is told every ten seconds, and with WATCHDOG=1 at half of the
        watchdog's time: a loop that is stuck for longer is what that is there to end.
        """
        if not self._address:
            return
        self._send(f"READY=1\nSTATUS={status()}")
        alive = "WATCHDOG=1\n" if self._watchdog_s else ""
        try:
            while True:
                await asyncio.sleep(min(self._watchdog_s / 2 or _STATUS_S, _STATUS_S))
                self._send(f"{alive}STATUS={status()}")
        finally:
            self._send("STOPPING=1\nSTATUS=storing what is buffered")

    def _send(self, message: str) -> None:
        if self._address:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode(), self._address)
