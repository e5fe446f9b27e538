"""The collector's end of the control socket: owner only, one living collector per path, hostile input harmless.

Nobody but the owner (and root) is answered: by the socket's mode from before it
listens, and by the user id of who connects, where the system tells it. A
request too long, too slow or of no sense ends its own connection at most.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, JrrError, ParseError, PluginError
from ..journal import say
from ..private import make_folder, open_file
from .protocol import REQUEST_BYTES, Answer, Request, line, read_request

Command = Callable[[Request], Awaitable[Mapping[str, Any]]]

# Who connects has so long for each line, in seconds; an answer has as long to be taken.
_LINE_S = 10.0
# Conversations at once; one more is turned away.
_MOST = 16
_KNOCK_S = 1.0


class ControlTaken(JrrError):  # noqa: N818 - says what happened, not whose fault
    """The socket cannot be had; the text says why, and what to do."""


class ControlServer:
    """Answers at `path` with the given commands."""

    def __init__(self, path: Path, commands: Mapping[str, Command]) -> None:
        """Take the path and what each command does; open nothing yet."""
        self.path = path
        self._commands = commands
        self._talking: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Answer until cancelled; what keeps the socket from being had is said in the log, and nothing else suffers."""
        try:
            with owned(self.path) as listener:
                server = await asyncio.start_unix_server(self._meet, sock=listener, limit=REQUEST_BYTES)
                say(logging.DEBUG, "control_open", f"control socket at {self.path}", path=str(self.path))
                try:
                    await asyncio.get_running_loop().create_future()
                finally:
                    server.close()
                    for task in self._talking:
                        task.cancel()
                    await asyncio.gather(*self._talking, return_exceptions=True)
        except (ControlTaken, OSError) as problem:
            say(logging.ERROR, "control_unavailable", f"control socket {self.path}: {problem}; this run cannot be "
                "told anything by `jrr ctl`", path=str(self.path), reason=str(problem))  # fmt: skip

    def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._talking) >= _MOST or not _is_owner(writer.get_extra_info("socket")):
            writer.close()
            return
        task = asyncio.ensure_future(self._talk(reader, writer))
        self._talking.add(task)
        task.add_done_callback(self._talking.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer line after line until there is none, or one that is too long or too slow."""
        try:
            while text := await asyncio.wait_for(reader.readline(), _LINE_S):
                writer.write(line(await self._answer(text)))
                await asyncio.wait_for(writer.drain(), _LINE_S)
        except (OSError, TimeoutError, ValueError):
            pass
        finally:
            writer.close()

    async def _answer(self, text: bytes) -> Answer:
        try:
            request = read_request(text)
            command = self._commands.get(request.command)
            if command is None:
                known = ", ".join(self._commands)
                raise ConfigError(f"the collector knows no command {request.command[:40]!r}; it knows {known}")
            return Answer(await command(request))
        except ParseError as error:
            return Answer(error=f"not a request: {error}", misuse=True)
        except JrrError as error:
            return Answer(error=str(error), misuse=isinstance(error, (ConfigError, PluginError)))
        except Exception as error:
            logging.getLogger("jrr").debug("control failed", exc_info=error)
            return Answer(error=f"the collector failed at it: {error!r}")


@contextlib.contextmanager
def owned(path: Path) -> Iterator[socket.socket]:
    """Hold a socket bound to `path`, for its owner alone, and take it away at the end.

    What a collector that died left there is replaced. Raises ControlTaken
    where one is alive or something else is there, OSError where the folder
    cannot be used.
    """
    make_folder(path.parent)
    held = open_file(path.with_name(f"{path.name}.lock"), os.O_RDWR)
    try:
        # The lock, which ends with its process, decides between two that start at once.
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken() from None
        _clear(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            mask = os.umask(0o177)
            try:
                listener.bind(str(path))
            finally:
                os.umask(mask)
            try:
                yield listener
            finally:
                path.unlink(missing_ok=True)
    finally:
        os.close(held)


def _clear(path: Path) -> None:
    """Take away a socket that nobody answers at."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ControlTaken("it is a file that is no socket; move it away or set another control.path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
        knock.settimeout(_KNOCK_S)
        try:
            knock.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise _taken()


def _taken() -> ControlTaken:
    return ControlTaken("a collector that is alive answers there; give this one a name of its own (--instance NAME) "
                        "or another control.path")  # fmt: skip


def _is_owner(connected: socket.socket) -> bool:
    return peer_uid(connected) in (None, 0, os.geteuid())


def peer_uid(connected: socket.socket) -> int | None:
    """Return the user id at the other end of a unix socket, None where the system does not tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    # struct ucred: pid, uid, gid (unix(7)).
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", credentials)[1]
    return uid
