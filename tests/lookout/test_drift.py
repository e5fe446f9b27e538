"""An exchange that speaks otherwise than its plugin knows."""

from jrr_core.alarms import Alarms
from jrr_core.frame import Frame, Request, Unknown
from jrr_core.intake import Intake
from jrr_core.lookout.drift import DriftWatch
from jrr_core.wire import Struct, decoder
from tests.toy import toy_desk


class _Row(Struct):
    price: str


_read = decoder(_Row, ("known",))


class Reading:
    """Reads rows, and knows no frame that begins with `?`."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def receive(self, frame: Frame) -> tuple[()]:
        if frame.payload == b"?":
            self.requests.append(Unknown("event type '?'"))
        else:
            _read(frame.payload)
        return ()


def test_new_fields_and_kinds_of_frames_are_told_once() -> None:
    desk, alarms, watch = toy_desk(lambda events: None), Alarms(), DriftWatch(5)
    intake = Intake("s", Reading(), desk)
    intake.take(Frame("toy", b'{"price":"1","known":2}', 1))
    watch.look(desk, alarms, 0)
    assert not alarms.standing
    for number in range(200):
        intake.take(Frame("toy", b'{"price":"1","known":2,"fresh":3}', number))
    intake.take(Frame("toy", b"?", 300))
    watch.look(desk, alarms, 1)
    (alarm,) = alarms.standing
    assert (alarm.name, alarm.text) == (
        "protocol_drift", "sends what its plugin does not know: event type '?', field Row.fresh",
    )  # fmt: skip


def test_an_exchange_cannot_fill_the_memory_with_what_is_new() -> None:
    desk = toy_desk(lambda events: None)
    for number in range(1000):
        desk.note_unknown(f"{number}" * 500)
    assert len(desk.unknown) == 100
    assert max(map(len, desk.unknown)) <= 80


def test_frames_not_understood_are_too_many_within_five_minutes() -> None:
    desk, alarms, watch = toy_desk(lambda events: None), Alarms(), DriftWatch(5)
    for now_s in range(0, 2000, 100):
        desk.counters.rejected += 1
        watch.look(desk, alarms, now_s)
    assert not alarms.standing, "one in a while is no change of protocol"
    watch.look(desk, alarms, 1999)
    desk.counters.rejected += 5
    watch.look(desk, alarms, 2000)
    assert [alarm.name for alarm in alarms.standing] == ["frames_not_understood"]
    watch.look(desk, alarms, 2250)
    assert alarms.standing
    watch.look(desk, alarms, 2400)
    assert not alarms.standing
