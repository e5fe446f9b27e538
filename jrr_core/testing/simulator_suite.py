"""Checks of the Script contract, for the author of a simulated exchange to inherit.

    class TestMySimulator(SimulatorSuite):
        script = MyScript
        connector = MyConnector

Script and connector of one plugin talk to each other on a `stage.Stage`, so both
are tested. Every rule is explained in docs/plugins/conformance.md.
"""

import gc
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import pytest

from ..connector import Connector, SessionPlan
from ..errors import ConfigError, ParseError
from ..events import MARKET_EVENTS, BookSnapshot, Gap
from ..frame import Refused
from ..instrument import Instrument
from ..subscription import Subscription
from . import calls
from .contract import broken
from .faults import CORE_FAULTS
from .script import Reply, Script
from .stage import START_NS, Stage

# Connections that come and go in the test of growth.
_VISITS = 5
_NOWHERE = "/no/such/path"


class SimulatorSuite:
    """A dozen and more tests of one script; `script` and `connector` are all an author must give."""

    script: ClassVar[type[Script]]
    connector: ClassVar[type[Connector]]
    # Streams the script serves beyond its `demo`, symbols native.
    wanted: ClassVar[Sequence[str]] = ()
    # Streams of `demo` and `wanted` of which nothing comes within `run_s`.
    seldom: ClassVar[Sequence[str]] = ()
    # A stream the connector asks for and the exchange refuses; None where it acknowledges anything.
    unknown: ClassVar[str | None] = None
    # Faults whose value is not a number.
    worded_faults: ClassVar[Sequence[str]] = ()
    # Seconds of the exchange that are played.
    run_s: ClassVar[float] = 4.0

    def test_says_what_it_trades_and_serves(self) -> None:
        script = self.script
        rule = "A script is of the connector's exchange, which names it in `simulator` as 'module:Class'."
        place = f"{script.__module__}:{script.__name__}"
        fit = script.exchange == self.connector.exchange and self.connector.simulator == place
        assert fit, broken("simulator-describes-itself", rule, f"{script.exchange}, {self.connector.simulator}")
        symbols = [listing.symbol for listing in script.listings]
        rule = "`listings` are different symbols; `demo` are streams of the exchange, whose symbols are listed."
        distinct = bool(symbols) and len(set(symbols)) == len(symbols)
        assert distinct, broken("simulator-describes-itself", rule, symbols)
        strangers = [
            str(item) for item in self._streams() if item.exchange != script.exchange or item.symbol not in symbols
        ]
        assert not strangers, broken("simulator-describes-itself", rule, strangers)

    def test_every_fault_is_explained_in_one_line(self) -> None:
        for name, text in self.script.faults.items():
            rule = f"The fault {name} has one line of help that ends with a full stop."
            one_line = text.endswith(".") and "\n" not in text
            assert one_line, broken("faults", rule, repr(text))
            rule = f"The fault {name} is not one the server has already."
            assert name not in CORE_FAULTS, broken("faults", rule, CORE_FAULTS.get(name))
        for name, (low, high) in getattr(self.script, "plausible", {}).items():
            rule = f"plausible[{name!r}] is of a fault of the script, from the lesser value to the greater."
            fit = name in self.script.faults and 0 <= low <= high
            assert fit, broken("faults", rule, (low, high))
            for value in (low, high):
                Stage(self.script, self.connector, {name: str(value)})

    def test_bad_fault_values_are_refused(self) -> None:
        for name in set(self.script.faults) - set(self.worded_faults):
            for value in ("much", "-1", "nan"):
                rule = f"{name}={value} raises ConfigError that names the fault (those with words: worded_faults)."
                said = self._refusal(name, value)
                assert name in said, broken("faults", rule, said or "taken")

    def test_same_seed_gives_the_same_frames(self) -> None:
        one, two, other = (self._played_frames(seed) for seed in (3, 3, 4))
        rule = "The same seed at the same time gives the same frames; another seed gives others."
        assert one == two, broken("simulator-deterministic", rule, _first_difference(one, two))
        assert one != other, broken("simulator-deterministic", rule, "the same with another seed")

    def test_every_stream_is_acknowledged_and_delivers(self) -> None:
        stage = self._played()
        for client in stage.clients:
            rule = f"{client.plan.name}: every message with acks is answered, nothing is refused, nobody is cut off."
            refusals = [request for request in client.requests if isinstance(request, Refused)]
            assert not client.unanswered, broken("simulator-serves", rule, f"no answer to {client.unanswered}")
            assert not refusals, broken("simulator-serves", rule, refusals)
            assert client.closed is None, broken("simulator-serves", rule, client.closed)
        carried = {
            str(item): f"{item.channel}:{item.symbol}" for client in stage.clients for item in client.plan.subscriptions
        }
        awaited = [stream for text, stream in carried.items() if text not in self.seldom]
        silent = stage.unheard(awaited)
        rule = f"Every stream of demo and wanted delivers within {self.run_s} s (others: seldom)."
        assert not silent, broken("simulator-serves", rule, silent)

    def test_frames_are_read_without_parse_error(self) -> None:
        for client in self._played().clients:
            rule = "The plugin's own parser reads what the simulator sends and answers."
            assert not client.refused, broken("simulator-frames", rule, f"{len(client.refused)}: {client.refused[0]}")

    def test_events_equal_the_truth(self) -> None:
        stage = self._played()
        gaps = [event for client in stage.clients for event in client.events if isinstance(event, Gap)]
        rule = "Without faults nothing is missing."
        assert not gaps, broken("simulator-truth", rule, gaps)
        rule = "What the parser reads is what the truth says was sent: trades once, candles, the final book."
        assert stage.truth.events, broken("simulator-truth", rule, "the truth is empty: record what is queued")
        carried = [item for client in stage.clients for item in client.plan.subscriptions]
        wrong = stage.truth.compare(stage.stored(), carried)
        assert not wrong, broken("simulator-truth", rule, wrong)

    def test_books_are_logged_at_each_of_their_numbers(self) -> None:
        stage = self._played()
        books = [event for event in stage.stored() if isinstance(event, BookSnapshot) and event.depth is None]
        if not books:
            pytest.skip("no whole book among demo and wanted")
        for book in books:
            if book.sequence is None:
                continue
            rule = "truth.begin_book and change_book log the book at every number the exchange gives it."
            known = stage.truth.book_at(book.exchange, book.symbol, book.sequence)
            assert known is not None, broken("simulator-truth", rule, f"no book {book.symbol} {book.sequence}")

    def test_unknown_stream_is_refused_and_others_go_on(self) -> None:
        if self.unknown is None:
            pytest.skip("unknown is None: the exchange acknowledges anything")
        stage = Stage(self.script, self.connector)
        stranger = Subscription.parse(self.unknown)
        for plan in stage.connector.sessions([*self._streams(), stranger]):
            stage.open(plan)
        stage.run(1.0)
        refused = [item for client in stage.clients for item in client.requests if isinstance(item, Refused)]
        rule = f"{self.unknown} is refused by its name, and by the stream's own ack."
        named = [item for item in refused if stranger.symbol.lower() in f"{item.what} {item.reason}".lower()]
        alone = bool(named) and named == refused
        assert alone, broken("simulator-refuses", rule, refused)
        rule = "Beside a refused stream the others are served."
        assert any(client.pushed for client in stage.clients), broken("simulator-refuses", rule, "no event")

    def test_unsubscribed_streams_end(self) -> None:
        stage = self._opened()
        for client in stage.clients:
            sends = client.plan.unsubscribe(client.plan.subscriptions)
            if not sends:
                pytest.skip("the exchange has no way to unsubscribe")
            stage.say(client, sends)
        stage.run(0.3)
        for client in stage.clients:
            client.pushed.clear()
        stage.run(1.2)
        pushed = [event for client in stage.clients for event in client.pushed]
        rule = "A connection that has unsubscribed everything gets no more market data."
        assert not pushed, broken("simulator-unsubscribes", rule, pushed[:1])

    def test_a_gone_client_hears_nothing_more(self) -> None:
        stage = self._opened()
        client = stage.clients[0]
        stage.leave(client)
        client.peer.outbox.clear()
        stage.run(1.2)
        rule = "After disconnect nothing is queued for the peer."
        assert not client.peer.outbox, broken("simulator-forgets", rule, client.peer.outbox[:1])

    def test_gone_clients_are_forgotten(self) -> None:
        stage = Stage(self.script, self.connector)
        plan = self._plans(stage)[0]
        kind = type(stage.open(plan).peer)
        stage.leave(stage.clients[0])
        before = _alive(kind)
        for _ in range(_VISITS):
            stage.leave(stage.open(plan))
        grown = _alive(kind) - before
        rule = "After disconnect nothing refers to the peer any more, so that a server may run for weeks."
        assert grown < _VISITS, broken("simulator-forgets", rule, f"{grown} of {_VISITS} peers are kept")

    def test_instruments_are_listed(self) -> None:
        stage = Stage(self.script, self.connector)
        if not stage.connector.instrument_requests():
            pytest.skip("the connector asks for no instruments")
        rule = "The answers to instrument_requests are read by the connector and list what is traded, step for step."
        found: dict[str, Instrument] = {}
        try:
            for frame in stage.instrument_frames():
                found |= {item.symbol: item for item in stage.connector.instruments(frame)}
        except ParseError as error:
            raise AssertionError(broken("simulator-instruments", rule, error)) from error
        for listing in self.script.listings:
            item = found.get(listing.symbol)
            same = item is not None and (item.tick_size, item.lot_size) == (listing.tick, listing.lot)
            assert same, broken("simulator-instruments", rule, f"{item} for {listing}")
        rule = "What was listed is in the truth: truth.offer each Instrument, as the connector reads it."
        wrong = stage.truth.compare(found.values(), ())
        assert not wrong, broken("simulator-instruments", rule, wrong)

    def test_unknown_paths_are_404(self) -> None:
        script = Stage(self.script, self.connector).script
        rule = "A path the exchange does not have is answered 404, as a connection and as a GET."
        for reply in (script.connect(_NOWHERE, "", START_NS), script.get(_NOWHERE, {}, START_NS)):
            fit = isinstance(reply, Reply) and reply.status == 404
            assert fit, broken("simulator-paths", rule, reply)

    def test_broken_requests_are_answered_or_close(self) -> None:
        for text in ("", "null", "[]", "{}", '{"op":7,"method":7,"args":7,"params":7}', "no json"):
            stage = Stage(self.script, self.connector)
            client = stage.open(self._plans(stage)[0])
            try:
                client.peer.receive(text, stage.now_ns)
                stage.run(0.1)
            except Exception as error:
                rule = f"Any text is answered, ignored or ends the connection; the text {text!r} raised."
                raise AssertionError(broken("simulator-requests", rule, repr(error))) from error

    def test_market_data_ends_and_connections_stay(self) -> None:
        stage = self._opened()
        stage.finish()
        for client in stage.clients:
            client.pushed.clear()
            client.frames.clear()
        idle_s = max([client.plan.keepalive.idle_s for client in stage.clients if client.plan.keepalive], default=0.0)
        stage.run(max(2.0, 2 * idle_s + 1.0))
        for client in stage.clients:
            late = [event for event in client.pushed if isinstance(event, MARKET_EVENTS)]
            rule = "After finish no market data comes, periodic streams included."
            assert not late, broken("simulator-rests", rule, late[:1])
            rule = f"After finish the connections stay open ({client.plan.name}) and keepalives are answered."
            assert client.closed is None, broken("simulator-rests", rule, client.closed)
            assert client.plan.keepalive is None or client.frames, broken("simulator-rests", rule, "no answer")

    def test_nothing_waits_and_no_clock_is_read(self) -> None:
        self._played_frames(3)
        for look in (calls.waiting, calls.clocks):
            found = look(lambda: self._played_frames(3, 0.2))
            rule = "A script neither sleeps nor touches files, sockets or processes, and reads no clock (now_ns)."
            assert not found, broken("simulator-waits-for-nothing", rule, found)

    def _refusal(self, fault: str, value: str) -> str:
        """Return what ConfigError says of a fault's value, nothing where it is taken."""
        try:
            Stage(self.script, self.connector, {fault: value})
        except ConfigError as error:
            return str(error)
        return ""

    def _streams(self) -> list[Subscription]:
        return [Subscription.parse(text) for text in dict.fromkeys((*self.script.demo, *self.wanted))]

    def _plans(self, stage: Stage) -> Sequence[SessionPlan]:
        return stage.connector.sessions(self._streams())

    def _played(self) -> Stage:
        """Return the stage after a run of all streams, at rest; tests that only look share one."""
        wanted = tuple(map(str, self._streams()))
        return _played(self.script, self.connector, wanted, self.run_s)

    def _opened(self) -> Stage:
        """Return a stage on which every plan is connected and has run a little."""
        stage = Stage(self.script, self.connector)
        for plan in self._plans(stage):
            stage.open(plan)
        stage.run(0.3)
        return stage

    def _played_frames(self, seed: int, seconds: float = 1.0) -> list[str | bytes]:
        stage = Stage(self.script, self.connector, seed=seed)
        for plan in self._plans(stage):
            stage.open(plan)
        stage.run(seconds)
        return [frame for client in stage.clients for frame in client.frames]


@lru_cache(maxsize=1)
def _played(script: type[Script], connector: type[Connector], wanted: tuple[str, ...], run_s: float) -> Stage:
    """Return the stage after a run of all streams, at rest; several tests look at the same one."""
    stage = Stage(script, connector)
    for plan in stage.connector.sessions([Subscription.parse(text) for text in wanted]):
        stage.open(plan)
    stage.run(run_s)
    stage.finish()
    return stage


def _first_difference(one: Sequence[object], two: Sequence[object]) -> str:
    different = [pair for pair in zip(one, two, strict=False) if pair[0] != pair[1]]
    return f"{different[0]}" if different else f"{len(one)} and {len(two)} frames"


def _alive(kind: type) -> int:
    gc.collect()
    return Counter(type(item) for item in gc.get_objects())[kind]
