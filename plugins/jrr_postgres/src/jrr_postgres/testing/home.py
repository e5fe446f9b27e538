"""Where the servers of one test session live.

They stop and their folder goes when the session ends, however it ends.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import urlsplit, urlunsplit

from .installation import Installation, account_folder, installations, reachable
from .server import Server, copy, create, stand_by

# Waits for the end of its input, which comes with the end of the session even if that is killed.
_SWEEPER = """
read -r _
for file in "$1"/*/postmaster.pid; do
    [ -f "$file" ] && kill -QUIT "$(head -n 1 "$file")"
done
tries=0
while ls "$1"/*/postmaster.pid && [ $tries -lt 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
rm -rf "$1"
"""


class Address(Protocol):
    """A server that can be connected to."""

    def dsn(self, database: str = ...) -> str:
        """Return the DSN of one of its databases."""
        ...


class Given:
    """A server somebody else runs, by the DSN of any of its databases."""

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)

    def dsn(self, database: str = "") -> str:
        """Return the address of a database there; of the given one when none is named."""
        path = f"/{database}" if database else self._parts.path
        return urlunsplit(self._parts._replace(path=path))


def kinds() -> list[str]:
    """Return the kinds of server there are: the given one alone, or else all installed, the newest first."""
    return ["given"] if os.environ.get("JRR_TEST_POSTGRES") else list(installations())


class Home:
    """A folder of servers. One server of each kind is shared; others are made as asked for."""

    def __init__(self) -> None:
        self._folder = account_folder()
        self._servers: list[Server] = []
        self._made = 0
        self._shared: dict[str, Address] = {}
        self._installed: dict[str, Installation] = {}
        self._sweeper = subprocess.Popen(
            ["/bin/sh", "-c", _SWEEPER, "sh", str(self._folder)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True, cwd="/",
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for server in self._servers:
                server.stop("immediate")
        finally:
            # Sees the end of its input and removes the folder.
            self._sweeper.communicate()

    def shared(self, kind: str | None = None) -> Address:
        """Return the session's server of a kind, the first of `kinds()` unless named; started at the first call."""
        kind = kind or kinds()[0]
        if kind not in self._shared:
            self._shared[kind] = Given(os.environ["JRR_TEST_POSTGRES"]) if kind == "given" else self.new(kind)
        return self._shared[kind]

    def new(self, kind: str | None = None, *, fsync: bool = False, settings: Mapping[str, str] | None = None) -> Server:
        """Return a fresh running server that nobody else uses; of the first kind installed unless named."""
        kind = kind or next(iter(installations()))
        template = self._folder / f"{kind}-template"
        if kind not in self._installed:
            self._installed[kind] = reachable(installations()[kind], self._folder)
            create(self._installed[kind], template)
        installation, folder = self._installed[kind], self._new_folder(kind)
        copy(installation, template, folder)
        return self._started(Server(installation, folder, fsync=fsync, settings=settings))

    def standby(self, server: Server) -> Server:
        """Return a running read-only copy of a running server, which follows it."""
        return self._started(stand_by(server, self._new_folder(server.installation.kind)))

    def remove(self, server: Server) -> None:
        """Stop a server of `new` or `standby` and remove what it stored."""
        server.stop("immediate")
        self._servers.remove(server)
        shutil.rmtree(server.folder)

    def _new_folder(self, kind: str) -> Path:
        self._made += 1
        return self._folder / f"{kind}-{self._made}"

    def _started(self, server: Server) -> Server:
        self._servers.append(server)
        server.start()
        return server
