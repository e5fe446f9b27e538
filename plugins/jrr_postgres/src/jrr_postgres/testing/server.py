"""One PostgreSQL server on a free port of loopback, which a test may stop, crash and start again."""

import contextlib
import random
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from .installation import Installation

StopMode = Literal["smart", "fast", "immediate"]

# Roles made members of this one must give their password; everybody else is trusted.
PASSWORD_ROLE = "with_password"
_HBA = f"""\
host all +{PASSWORD_ROLE} 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
"""
_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
# A zone with an odd offset, so that what should be UTC and is not shows.
_ZONE = "Asia/Kathmandu"
_START_S = 60.0
_STOP_S = 30.0


class Server:
    """A data folder and, while running, the server over it. Its superuser is `postgres`, without a password."""

    def __init__(
        self,
        installation: Installation,
        folder: Path,
        *,
        fsync: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Take the folder, made by `create` or `pg_basebackup`; `settings` are those of postgresql.conf.

        Without `fsync` a crash of the machine, not of the server, may lose data: right for tests, wrong for
        measuring.
        """
        self.installation = installation
        self.folder = folder
        self.port = free_port()
        self._settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "timezone": _ZONE,
            "fsync": "on" if fsync else "off",
            "full_page_writes": "on" if fsync else "off",
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def dsn(self, database: str = "postgres", *, user: str = "postgres", password: str | None = None) -> str:
        """Return the address of a database here, which need not exist."""
        secret = f":{password}" if password is not None else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}"

    @property
    def log(self) -> str:
        """All the server has said since its folder was made."""
        path = self._log_path
        return path.read_text("utf-8", "replace") if path.exists() else ""

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, wait: bool = True) -> None:
        """Start, and unless told otherwise return when connections are accepted."""
        assert not self.running, "started already"
        settings = [f"--{name}={value}" for name, value in {**self._settings, "port": str(self.port)}.items()]
        with self._log_path.open("ab") as log:
            self._process = self.installation.start("postgres", "-D", str(self.folder), *settings, log=log)
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Return when the server accepts connections; raises RuntimeError with its log when it does not."""
        deadline = time.monotonic() + _START_S
        while not self._ready():
            if not self.running or time.monotonic() > deadline:
                raise RuntimeError(f"{self.installation.kind} in {self.folder} did not start:\n{self.log[-4000:]}")
            time.sleep(0.01)

    def stop(self, mode: StopMode = "fast", *, wait: bool = True) -> None:
        """Stop: `smart` waits for clients to leave, `fast` ends them, `immediate` is a crash."""
        if self._process is None:
            return
        if self.running:
            self._process.send_signal(_SIGNALS[mode])
        if wait:
            self.wait_stopped()

    def wait_stopped(self) -> None:
        """Return when the server has ended; one that does not end is killed and an error."""
        if self._process is None:
            return
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise RuntimeError(f"{self.installation.kind} did not stop:\n{self.log[-4000:]}") from None
        finally:
            self._process = None
            # One that was killed leaves its number, which may be somebody else's by now.
            (self.folder / "postmaster.pid").unlink(missing_ok=True)

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop in the given way, and start again."""
        self.stop(mode)
        self.start()

    def append(self, name: str, text: str) -> None:
        """Add lines to a file of the data folder, such as postgresql.auto.conf; made if it is not there."""
        self.installation.run("tee", "-a", str(self.folder / name), text=text)

    @property
    def _log_path(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.log")

    def _ready(self) -> bool:
        with contextlib.suppress(OSError):
            # https://www.postgresql.org/docs/current/storage-file-layout.html: the last line is the postmaster's state.
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
            return len(lines) >= 8 and lines[7].strip() in ("ready", "standby")
        return False


def create(installation: Installation, folder: Path) -> None:
    """Make a data folder: UTF-8, superuser `postgres`, and the role whose members give passwords."""
    installation.run("initdb", "-D", str(folder), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale",
                     "--no-sync")  # fmt: skip
    statement = f"CREATE ROLE {PASSWORD_ROLE}\n"
    installation.run("postgres", "--single", "-D", str(folder), "-F", "postgres", text=statement)
    installation.run("tee", str(folder / "pg_hba.conf"), text=_HBA)


def copy(installation: Installation, source: Path, target: Path) -> None:
    """Copy a data folder that no server uses."""
    installation.run("cp", "-R", str(source), str(target))


def free_port() -> int:
    """Return a port nothing uses, below those the system gives to clients.

    A client that tries a stopped server's port among those would now and then be given the same
    number for its own end, and talk to itself.
    """
    while True:
        port = random.randint(15_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def stand_by(server: Server, folder: Path) -> Server:
    """Return a read-only copy of a running server that follows it, not started."""
    server.installation.run("pg_basebackup", "-D", str(folder), "-d", server.dsn(), "-R", "-X", "stream", "-c", "fast",
                            "--no-sync")  # fmt: skip
    return Server(server.installation, folder)
