"""The simulator's server: one exchange's script over real WebSocket and HTTP on one loopback port.

Every 5 ms it lets the market take the steps that are due, gives the script its
tick and writes what was queued, one write per connection. A frame that goes to
several connections is encoded once. A client that does not read is cut off
when its share of the buffer is full, as exchanges do.
"""

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Collection, Mapping, Sequence
from random import Random
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

from ..errors import ConfigError
from ..events import BookSnapshot
from ..exact import plain
from ..levels import Levels
from .connection import Connection, quiet_log, response, take_frames
from .faults import LineFaults, listing_changes, split_faults
from .market import Listing, Market
from .script import Close, Heals, HearsPings, Peer, Ping, Reply, Script, fault_number
from .truth import Truth

__all__ = [
    "Close", "Heals", "HearsPings", "Listing", "Market", "Peer", "Ping", "Reply", "Script", "Simulator", "Truth",
    "fault_number",
]  # fmt: skip

TICK_S = 0.005
# What one client may leave unread before it is cut off.
MAX_BACKLOG_BYTES = 16_000_000
# Most of a late second that one tick catches up, so that a busy machine does not starve the sockets.
CATCH_UP_S = 0.2
_log = logging.getLogger("jrr.simulator")


class Simulator:
    """A running exchange: `async with Simulator(script_class) as simulator:`.

    `rate` is market steps per second, about as many frames; `run_s` stops the
    market after that long (`quiet` then returns once all is flushed), None
    never. `symbols` trades only these listings; the truth keeps `truth_kinds` (all
    where None). Port 0 takes a free one. Raises ConfigError for an unknown fault,
    symbol or kind and for a port in use.
    """

    def __init__(
        self,
        script: type[Script],
        *,
        port: int = 0,
        seed: int = 1,
        rate: float = 1000.0,
        faults: Mapping[str, str] | None = None,
        run_s: float | None = None,
        symbols: Sequence[str] | None = None,
        host: str = "127.0.0.1",
        keep_truth: bool = True,
        truth_kinds: Collection[str] | None = None,
    ) -> None:
        """Prepare market and script; nothing is opened yet."""
        faults = faults or {}
        own = split_faults(faults, script.faults, script.exchange)
        self.host, self.port = host, port
        self.market = Market(_choose(script, symbols), seed)
        self.truth = Truth(keep_truth, truth_kinds)
        self.script = script(self.market, self.truth, own, time.time_ns())
        self._changes = listing_changes(faults, [listing.symbol for listing in self.market.listings])
        for _, symbol, listed in self._changes:
            if listed:
                self.market.set_listed(symbol, False)
        self.frames_sent = 0
        self._faults = LineFaults.of(faults)
        self._random = Random(seed)
        self._rate, self._run_s = rate, run_s
        self._lines: dict[Connection, None] = {}
        self._opened = 0
        self._quiet = asyncio.Event()
        self._server: Server | None = None
        self._refuse_until = 0.0

    @property
    def ws_url(self) -> str:
        """The address for `exchanges.<name>.ws_url`."""
        return f"ws://{self.host}:{self.port}"

    @property
    def rest_url(self) -> str:
        """The address for `exchanges.<name>.rest_url`."""
        return f"http://{self.host}:{self.port}"

    async def quiet(self) -> None:
        """Wait until the market has stopped and everything it caused is written; forever without `run_s`."""
        await self._quiet.wait()

    async def __aenter__(self) -> "Simulator":
        """Open the port and start the market."""
        if self._faults.refuse_s:
            self._open_socket().close()
            self._refuse_until = asyncio.get_running_loop().time() + self._faults.refuse_s
        else:
            await self._listen()
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._running = self._group.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the market, cut the connections and free the port."""
        self._running.cancel()
        for connection in list(self._lines):
            connection.transport.abort()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        # A task group would wrap the block's own error; it only needs to know of a cancellation.
        if isinstance(error, asyncio.CancelledError):
            await self._group.__aexit__(kind, error, trace)
        else:
            await self._group.__aexit__(None, None, None)

    def _open_socket(self) -> socket.socket:
        try:
            listener = socket.create_server((self.host, self.port), backlog=512)
        except OSError as problem:
            raise _port_error(self.host, self.port, problem) from None
        self.port = listener.getsockname()[1]
        return listener

    async def _listen(self) -> None:
        self._server = await serve(
            self._converse,
            sock=self._open_socket(),
            process_request=self._answer,
            create_connection=Connection,
            compression=None,
            ping_interval=None,
            close_timeout=2,
            max_size=1_000_000,
            logger=quiet_log(),
        )

    def _refuse(self) -> None:
        """Close the listening socket for a while, if that fault is on: the kernel then refuses connections."""
        if not self._faults.refuse_s:
            return
        self._refuse_until = asyncio.get_running_loop().time() + self._faults.refuse_s
        if self._server is not None:
            self._server.close(close_connections=False)
            self._server = None

    async def _run(self) -> None:
        """Step the market at its rate, tick the script, write; then let it come to rest and only tick."""
        loop = asyncio.get_running_loop()
        begun = due = loop.time()
        owed = 0.0
        settle: int | None = None
        while True:
            await asyncio.sleep(max(0.0, due + TICK_S - loop.time()))
            last, due = due, loop.time()
            now_ns = time.time_ns()
            if self._run_s is not None and due - begun >= self._run_s and settle is None:
                settle = (now_ns // 1_000_000_000 + 1) * 1_000_000_000 + 250_000_000
            if settle is None:
                owed = min(owed + (due - last) * self._rate, 1 + CATCH_UP_S * self._rate)
                steps = int(owed)
                owed -= steps
                step, happen = self.market.step, self.script.happen
                for _ in range(steps):
                    happen(step(now_ns))
            elif now_ns >= settle and not self._quiet.is_set():
                self._close_books(now_ns)
            if self._faults.until_s is not None and due - begun >= self._faults.until_s:
                self._heal(now_ns)
            while self._changes and self._changes[0][0] <= due - begun:
                _, symbol, listed = self._changes.pop(0)
                self.market.set_listed(symbol, listed)
            self.script.tick(now_ns)
            self._flush(due)
            if self._server is None and due >= self._refuse_until:
                await self._listen()

    def _heal(self, now_ns: int) -> None:
        """End all faults; whoever was refused may come."""
        self._faults = LineFaults()
        self._refuse_until = 0.0
        if isinstance(self.script, Heals):
            self.script.heal(now_ns)

    def _close_books(self, now_ns: int) -> None:
        """Bring the script to rest and note the final books."""
        self.script.finish(now_ns)
        for listing in self.market.listings:
            bids, asks = (Levels([(plain(p), plain(a)) for p, a in side]) for side in self.market.book(listing.symbol))
            self.truth.close_book(
                BookSnapshot(self.script.exchange, listing.symbol, now_ns, now_ns, bids, asks, None, None)
            )
        self._quiet.set()

    def _flush(self, now_s: float) -> None:
        """Write every outbox, one write per connection, and let the faults do theirs."""
        encoded: dict[str, bytes] = {}
        for connection in list(self._lines):
            peer = connection.peer
            if peer is None:
                continue
            if connection.state is not State.OPEN:
                # The client has said goodbye: nothing may follow the answer to that.
                self.forget(connection)
                continue
            match self._faults.due(now_s - connection.opened_s, connection.number):
                case "silence":
                    # From here on the client sees nothing, so nothing more is "sent" to it.
                    self.forget(connection)
                    connection.transport.pause_reading()
                case "reset":
                    self.forget(connection)
                    connection.reset()
                    self._refuse()
                case "close":
                    peer.outbox.append(Close(self._faults.close_code))
                    self._write(connection, peer, encoded, self._faults.touches_frames)
                    self._refuse()
                case None if peer.outbox:
                    self._write(connection, peer, encoded, self._faults.touches_frames)

    def _write(self, connection: Connection, peer: Peer, encoded: dict[str, bytes], disturbed: bool) -> None:
        """Empty one outbox into the socket; `encoded` shares work between connections."""
        frames, close = take_frames(peer, encoded)
        if disturbed:
            frames = self._faults.disturb(frames, self._random)
        self.frames_sent += len(frames)
        connection.transport.write(b"".join(frames))
        if connection.transport.get_write_buffer_size() > MAX_BACKLOG_BYTES:
            _log.warning("a client left %d bytes unread and was cut off", MAX_BACKLOG_BYTES)
            connection.transport.abort()
        elif close is not None:
            self.forget(connection)
            self._group.create_task(connection.close(close.code, close.reason))

    def forget(self, connection: Connection) -> None:
        """Tell the script, once, that a connection will see nothing more."""
        peer, connection.peer = connection.peer, None
        if peer is not None:
            self.script.disconnect(peer, time.time_ns())

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a plain GET, refuse an upgrade, or (None) let the upgrade go on."""
        url = urlsplit(request.path)
        if request.headers.get("Upgrade", "").lower() != "websocket":
            if self._faults.rest_503 and self._random.random() < self._faults.rest_503:
                return response(Reply(503, '{"msg":"Service unavailable"}'))
            return response(self.script.get(url.path, dict(parse_qsl(url.query, True)), time.time_ns()))
        outcome = self.script.connect(url.path, url.query, time.time_ns())
        if isinstance(outcome, Reply):
            return response(outcome)
        assert isinstance(connection, Connection)
        connection.forget, connection.peer = self.forget, outcome
        return None

    async def _converse(self, connection: ServerConnection) -> None:
        """Hand the client's texts to its peer until the connection ends."""
        assert isinstance(connection, Connection)
        self._lines[connection] = None
        connection.opened_s, connection.number = asyncio.get_running_loop().time(), self._opened
        self._opened += 1
        try:
            async for message in connection:
                peer = connection.peer
                if peer is not None:
                    # A queue of market data comes first; the answer follows it, undisturbed by faults.
                    if peer.outbox:
                        self._write(connection, peer, {}, self._faults.touches_frames)
                    text = message if isinstance(message, str) else message.decode("utf-8", "replace")
                    peer.receive(text, time.time_ns())
                    if peer.outbox:
                        self._write(connection, peer, {}, disturbed=False)
            await connection.wait_closed()
        except ConnectionClosed:
            pass
        finally:
            self._lines.pop(connection, None)


def _choose(script: type[Script], symbols: Sequence[str] | None) -> list[Listing]:
    if not symbols:
        return list(script.listings)
    known = {item.symbol: item for item in script.listings}
    for symbol in symbols:
        if symbol not in known:
            raise ConfigError(f"the {script.exchange} simulator does not list {symbol!r}; it lists {', '.join(known)}")
    return [known[symbol] for symbol in symbols]


def _port_error(host: str, port: int, problem: OSError) -> ConfigError:
    if problem.errno == errno.EADDRINUSE:
        return ConfigError(
            f"port {port} on {host} is already in use; choose another with --port, or 0 to be given a free one"
        )
    return ConfigError(f"cannot listen on {host} port {port}: {problem.strerror}; choose another with --port")
