"""The view that changes: one pane at a time, sorted, filtered; drawn line by line, only what is seen."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Footer, Input, Static

from .client import NoAnswer, Stats, ask
from .drawing import fitting, row_line, safe, title_line
from .panes import Pane, Reading, Row, age, reading

_TITLE, _BAD = Style(bold=True, reverse=True), Style(bold=True)
_HELP = """\
1 2 3 4   streams, exchanges, sinks, alarms      tab   the next of them
< >       sort by another column                 r     the other way round
/         show rows with these words only        esc   show all again
p         hold still                             q     leave

state of a stream: live; waiting for first data; quiet, where that is usual;
silent (an alarm says so); away, while its connection is being opened again.
"""


class Lines(ScrollView, can_focus=True):
    """A pane's rows under their titles."""

    def __init__(self) -> None:
        """Show nothing yet."""
        super().__init__(id="lines")
        self._pane: Pane | None = None
        self._rows: Sequence[Row] = ()
        self._sorted: tuple[int, bool] = (0, False)

    def show(self, pane: Pane, rows: Sequence[Row], column: int, reverse: bool) -> None:
        """Show these rows of a pane, which are sorted by a column."""
        self._pane, self._rows, self._sorted = pane, rows, (column, reverse)
        self.virtual_size = Size(self.size.width, len(rows) + 1)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is seen; the titles stay."""
        width = self.size.width
        if self._pane is None:
            return Strip.blank(width)
        columns = fitting(self._pane.columns, width)
        if y == 0:
            text, style = title_line(columns, *self._sorted), _TITLE
        else:
            at = y - 1 + self.scroll_offset.y
            if at >= len(self._rows):
                return Strip.blank(width)
            row = self._rows[at]
            text, style = row_line(columns, row), _BAD if row.bad else Style.null()
        return Strip([Segment(text, style)]).adjust_cell_length(width)


class Top(App[None]):
    """`jrr top` on a terminal."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { background: ansi_default; }
    #head { height: auto; max-height: 4; }
    #lines { height: 1fr; scrollbar-size-vertical: 1; }
    #words { display: none; height: 1; border: none; padding: 0; }
    #help { display: none; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "pane(0)", "streams"), Binding("2", "pane(1)", "exchanges"), Binding("3", "pane(2)", "sinks"),
        Binding("4", "pane(3)", "alarms"), Binding("tab", "next_pane", "next", show=False, priority=True),
        Binding("less_than_sign", "column(-1)", "sort", key_display="<"),
        Binding("greater_than_sign", "column(1)", "sort", key_display=">"), Binding("r", "reverse", "reverse"),
        Binding("slash", "filter", "filter", key_display="/"), Binding("escape", "clear", "all", show=False),
        Binding("p", "pause", "pause"), Binding("question_mark", "help", "help", key_display="?"),
        Binding("q", "quit", "quit"),
    ]  # fmt: skip

    def __init__(self, url: str, first: Stats, every_s: float) -> None:
        """Begin with the first stats."""
        super().__init__(ansi_color=True)
        self._url = url
        self._every_s = every_s
        self._reading: Reading = reading(first, None)
        self._pane = 0
        self._sort: dict[int, tuple[int, bool]] = {}
        self._paused = False
        self._lost: tuple[float, str] | None = None
        self._ended = threading.Event()

    def compose(self) -> ComposeResult:
        """Lay out head, rows, the line for words, and the keys."""
        yield Static("", id="head", markup=False)
        yield Lines()
        yield Static(_HELP, id="help", markup=False)
        yield Input(placeholder="words, for example: usdt trade", id="words")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Show, and begin to look."""
        self.query_one(Lines).focus()
        self.redraw()
        self.run_worker(self._look, thread=True, exclusive=True)

    def on_unmount(self) -> None:
        """Look no more."""
        self._ended.set()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.redraw()

    def on_input_changed(self) -> None:
        """Filter while words are written."""
        self.redraw()

    def on_input_submitted(self) -> None:
        """Go back to the rows; the words stay in force."""
        self.query_one(Lines).focus()

    def redraw(self) -> None:
        """Show the reading there is."""
        panes, words = self._reading.panes, self.query_one("#words", Input).value
        pane = panes[self._pane]
        column, reverse = self._sort.get(self._pane, (0, False))
        rows = pane.chosen(words, column, reverse)
        names = [f"[{each.name}]" if each is pane else each.name for each in panes]
        state = f"  {' '.join(names)}  {len(rows):,} of {len(pane.rows):,}" + (f"  with: {words}" if words else "")
        lines = [*self._reading.head[:2], state + ("  held still" if self._paused else "")]
        if self._lost is not None:
            lines[1:2] = [f"no answer for {age(time.monotonic() - self._lost[0])}: {self._lost[1]}"]
        self.query_one("#head", Static).update("\n".join([safe(line, self.size.width) for line in lines]))
        self.query_one(Lines).show(pane, rows, column, reverse)

    def action_pane(self, number: int) -> None:
        """Show another pane."""
        self._pane = number
        self.query_one(Lines).scroll_home(animate=False)
        self.redraw()

    def action_next_pane(self) -> None:
        """Show the next pane."""
        self.action_pane((self._pane + 1) % len(self._reading.panes))

    def action_column(self, by: int) -> None:
        """Sort by another column; numbers the largest first."""
        columns = self._reading.panes[self._pane].columns
        column = (self._sort.get(self._pane, (0, False))[0] + by) % len(columns)
        self._sort[self._pane] = column, columns[column].right
        self.redraw()

    def action_reverse(self) -> None:
        """Sort the other way round."""
        column, reverse = self._sort.get(self._pane, (0, False))
        self._sort[self._pane] = column, not reverse
        self.redraw()

    def action_filter(self) -> None:
        """Let words be written."""
        words = self.query_one("#words", Input)
        words.display = True
        words.focus()

    def action_clear(self) -> None:
        """Show all rows, and no help."""
        words = self.query_one("#words", Input)
        words.value, words.display = "", False
        self.query_one("#help").display = False
        self.query_one(Lines).focus()
        self.redraw()

    def action_pause(self) -> None:
        """Hold still, or go on."""
        self._paused = not self._paused
        self.redraw()

    def action_help(self) -> None:
        """Show or hide what the keys do."""
        shown = self.query_one("#help")
        shown.display = not shown.display

    def take(self, stats: Stats) -> None:
        """Show new stats."""
        try:
            made = reading(stats, self._reading.stats)
        except NoAnswer as failure:
            self.miss(str(failure))
            return
        self._lost = None
        if not self._paused:
            self._reading = made
        self.redraw()

    def miss(self, reason: str) -> None:
        """Say that nobody answers; what was shown stays."""
        since = time.monotonic() if self._lost is None else self._lost[0]
        self._lost = since, reason
        self.redraw()

    def _look(self) -> None:
        """Ask again and again, in a thread of its own."""
        while not self._ended.wait(self._every_s):
            try:
                stats = ask(self._url)
            except NoAnswer as failure:
                self._tell(self.miss, str(failure))
            else:
                self._tell(self.take, stats)

    def _tell(self, what: Callable[[Any], None], said: Any) -> None:
        # The view may have ended while the collector was asked.
        with suppress(RuntimeError):
            self.call_from_thread(what, said)
