"""The full-screen viewer: keys and messages become states, a state becomes the screen and a query.

                    ┌─ key ──▶ MOVES[action] ─┐
    daemon ─▶ events()                        ├─▶ state ─┬─▶ redraw, only when it is another one
                    └─ snapshot ▶ received() ─┘          ├─▶ ask(query), watch(flow), only when it is another one
                                                             └─▶ tell(order), each once

A key redraws from the window of rows that is already here. Where it leaves that window, the old screen stays until
the rows come, some milliseconds later: one redraw, not two. When that takes longer than `_PATIENCE_S`, what is here is
drawn.
"""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import replace
from pathlib import Path

from prompt_toolkit.application import Application, run_in_terminal
from prompt_toolkit.filters import Condition
from prompt_toolkit.layout import Layout
from prompt_toolkit.mouse_events import MouseButton, MouseEvent, MouseEventType
from prompt_toolkit.styles import DynamicStyle

from flowtop_client.connection.link import Down, Event, Link, Members, Unavailable, Up
from flowtop_client.preferences.files import Files
from flowtop_client.recorded import Recorded
from flowtop_client.recordings import Recordings
from flowtop_client.tui.key_bindings import SECTIONS, Command, Sections, bindings, help_of
from flowtop_client.tui.layout import details_room, help_lines, help_page, new_tab, regions, screen
from flowtop_client.tui.pointing import clicked, wheeled
from flowtop_client.tui.style import STYLES
from flowtop_client.tui.tabs.details import detail_lines, details_text
from flowtop_client.tui.widgets.canvas import Canvas
from flowtop_client.tui.widgets.clipboard import copying
from flowtop_client.tui.widgets.graph import is_plain
from flowtop_client.tui.widgets.line import Line, in_ascii
from flowtop_client.view_state.acting import acted, noticed, unnoticed
from flowtop_client.view_state.choosing import Choose, columns_kept
from flowtop_client.view_state.filtering import refused, typed
from flowtop_client.view_state.looking import detailed, left_page, watched
from flowtop_client.view_state.moves import (
    MOVES,
    Action,
    complained,
    connected,
    fitted,
    heard,
    joined,
    lost,
    mustered,
    received,
)
from flowtop_client.view_state.pausing import thawed
from flowtop_client.view_state.problems import silent_from
from flowtop_client.view_state.state import ViewState, query_for
from flowtop_client.view_state.taping import begun, grown, over
from flowtop_client.view_state.text_input import Edit
from flowtop_client.view_state.theme import Theme
from flowtopd.wire.errors import ErrorCode
from flowtopd.wire.messages import Detail, Done, Error, Snapshot

_ESCAPE_S = 0.05
"""How long an Escape may be the beginning of an arrow key; a local terminal sends those in one piece."""

_DOUBLE_CLICK_S = 0.4

_WHEEL = {MouseEventType.SCROLL_UP: -1, MouseEventType.SCROLL_DOWN: 1}

NO_FILES = Files(None, None)
NO_KEYS: Mapping[str, Sequence[str]] = {}

_PATIENCE_S = 0.05
"""How long the screen waits for rows. A key that changes nothing for longer seems lost."""

_NOTICE_S = 6.0
"""How long a notice is shown."""


class Viewer:
    """Owns the state and the application, and is owned by `run`."""

    def __init__(
        self,
        connection: Link,
        state: ViewState,
        *,
        recordings: Recordings | None = None,
        patience_s: float = _PATIENCE_S,
        files: Files = NO_FILES,
        sections: Sections = SECTIONS,
        colours: bool = True,
    ) -> None:
        self._connection = connection
        self._recordings = recordings
        self._files = files
        self._help = help_of(sections)
        self._state = state
        self._watched = watched(state)
        self._expiry: asyncio.TimerHandle | None = None
        """When the notice goes."""
        self._query = query_for(state)
        self._part: Snapshot | None = None
        self._tab = new_tab()
        self._patience_s = patience_s
        self._suspended = False
        """Whether this is about to stop, or has stopped."""
        self._opened = ((-1, -1), 0.0)
        """Where and when a click has opened something."""
        self._late: asyncio.TimerHandle | None = None
        """When what is here is drawn, although rows are missing; None while all are here."""
        self._silence: asyncio.TimerHandle | None = None
        """When the screen changes because nothing comes; put off by everything that comes."""
        self._app: Application[Unavailable | None] = Application(
            layout=Layout(Canvas(self._draw, self._point)),
            key_bindings=bindings(self._act, self._obey, self._type, lambda: self._state.mode, sections),
            style=DynamicStyle(lambda: STYLES[self._state.theme if colours else Theme.MONO]),
            mouse_support=Condition(lambda: self._state.mouse),
            include_default_pygments_style=False,
            enable_page_navigation_bindings=False,
            full_screen=True,
            terminal_size_polling_interval=None,  # SIGWINCH tells; a timer would wake an idle viewer
            max_render_postpone_time=None,  # a key is drawn at once, whatever else is waiting
        )
        self._app.ttimeoutlen = _ESCAPE_S
        self._state = replace(state, plain=is_plain(self._app.output.encoding()))

    def _change(self, state: ViewState) -> None:
        """Go on with `state`: ask for what it means, where that is new, and tell what it orders."""
        state = thawed(state)
        if self._state.paused and not state.paused:
            state = heard(state, asyncio.get_running_loop().time())
        if state.history is not self._state.history and state.history:
            self._files.remember(state.history[-1])
        for order in state.orders:
            self._connection.tell(order)
        if state.notice is not self._state.notice:
            self._mind_notice(shown=state.notice is not None)
        self._state = state = replace(state, orders=()) if state.orders else state
        if (flow := watched(state)) != self._watched:
            self._watched = flow
            self._connection.watch(flow)
        query = query_for(state)
        if query != self._query:
            self._query = query
            self._connection.ask(query)

    def _mind_notice(self, *, shown: bool) -> None:
        """Take a notice away after its time."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if shown:
            self._expiry = asyncio.get_running_loop().call_later(
                _NOTICE_S, lambda: self._show_if_new(unnoticed(self._state))
            )

    def _show(self, state: ViewState) -> None:
        """Go on with `state` and draw it, now or when the rows that it needs are here."""
        loop = asyncio.get_running_loop()
        self._change(state)
        self._mind_silence()
        if not self._state.waiting:
            if self._late is not None:
                self._late.cancel()
                self._late = None
            self._app.invalidate()
        elif self._late is None:
            self._late = loop.call_later(self._patience_s, self._app.invalidate)
        elif self._late.when() <= loop.time():
            self._app.invalidate()

    def _mind_silence(self) -> None:
        """Be woken when the daemon has been silent for too long, and from then on every second; never otherwise."""
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        begin, loop = silent_from(self._state), asyncio.get_running_loop()
        if begin is not None:
            now = loop.time()
            self._silence = loop.call_at(begin if now < begin else now + 1, self._tell_silence)

    def _tell_silence(self) -> None:
        """Draw how long it has lasted."""
        self._app.invalidate()
        self._mind_silence()

    def _act(self, action: Action | Edit | Choose) -> None:
        """A key was pressed."""
        self._show_if_new(MOVES[action](self._state))

    def _point(self, event: MouseEvent) -> None:
        """Something was done with the mouse."""
        state = self._state
        now = asyncio.get_running_loop().time()
        if event.event_type in _WHEEL:
            self._show_if_new(wheeled(state, _WHEEL[event.event_type]))
        elif event.event_type is MouseEventType.MOUSE_DOWN and event.button is MouseButton.LEFT:
            cell = (event.position.x, event.position.y)
            if cell == self._opened[0] and now - self._opened[1] < _DOUBLE_CLICK_S:
                return  # the second half of a double click: there are other rows now
            size = self._app.output.get_size()
            new = clicked(state, self._tab, (size.columns, size.rows), cell)
            if new.path is not state.path:
                self._opened = (cell, now)
            self._show_if_new(new)

    def _type(self, text: str) -> None:
        """A character was typed, or a text pasted."""
        self._show_if_new(typed(self._state, text))

    def _show_if_new(self, state: ViewState) -> None:
        if state is not self._state:
            self._show(state)

    def _obey(self, command: Command) -> None:
        """A key of the program was pressed."""
        match command:
            case Command.WRITE:
                kept = columns_kept(self._state)
                self._show(noticed(kept, self._files.write(kept)))
            case Command.SUSPEND:
                self.suspend(everybody=True)
            case Command.QUIT if (rows := left_page(self._state)) is not self._state:
                self._show(rows)
            case Command.QUIT | Command.INTERRUPT:
                self.leave()
            case Command.COPY:
                self._copy()
            case Command.RECORD:
                self._record()

    def _copy(self) -> None:
        """Put the selected row on the clipboard, or the details that are open."""
        state, page = self._state, self._state.details
        width = self._app.output.get_size().columns
        text = details_text(detail_lines(state, page, width)) if page else self._tab.text(state)
        if text.strip():
            self._app.output.write_raw(copying(text, tmux="TMUX" in os.environ))
            self._app.output.flush()
            self._show(noticed(state, f"{'the details are' if page else 'the row is'} given to the clipboard"))

    def _record(self) -> None:
        """Begin a recording, or end the one that runs."""
        if self._recordings is None:
            return
        if self._recordings.recorded is not None:
            self._recordings.stop()
            return
        try:
            path = self._recordings.start(self._state, self._stop_tape)
        except Unavailable as error:
            self._show(noticed(self._state, error.what, good=False))
        else:
            self._show(begun(self._state, path.name))

    def _stop_tape(self, done: Recorded, why: str) -> None:
        """A recording has ended."""
        if self._app.is_running:
            self._show(over(self._state, done.samples, done.size_bytes, why))

    def suspend(self, *, everybody: bool = False) -> None:
        """Give the terminal back and stop, until `fg`: this process alone, or with `everybody` as Ctrl-Z does it."""
        if not self._suspended:
            self._suspended = True
            run_in_terminal(lambda: self._sleep(0 if everybody else os.getpid()))

    def _waken(self) -> None:
        """Go on after a stop that nobody was asked about (SIGSTOP): the shell has had the terminal meanwhile."""
        if not self._app.is_running or self._app.is_done:
            return  # a terminal that is closed sends SIGCONT too
        ExitStack().enter_context(self._app.input.raw_mode())  # never left: the first one puts back what was before
        try:
            self._app.renderer.erase()
        except OSError:
            self.leave()  # the terminal is gone
            return
        self._show(heard(self._state, asyncio.get_running_loop().time()))

    def mind_job_control(self, *, on: bool = True) -> None:
        """Stop and go on when told to by signals; where whoever started this ignores them, nobody could say `fg`."""
        loop = asyncio.get_running_loop()
        for number, handler in ((signal.SIGTSTP, self.suspend), (signal.SIGCONT, self._waken)):
            if on and signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, handler)
            else:
                loop.remove_signal_handler(number)

    def _sleep(self, process: int) -> None:
        """Stop this process, or with 0 all that the shell started together with it."""
        self.mind_job_control(on=False)  # else nothing would stop, and the screen be drawn twice
        os.kill(process, signal.SIGTSTP)
        self.mind_job_control()
        self._suspended = False
        self._state = heard(self._state, asyncio.get_running_loop().time())  # it was not the daemon that was silent
        self._mind_silence()

    def _draw(self, width: int, height: int) -> list[Line]:
        """The lines of the screen; what they have room for becomes part of the state."""
        page, details = regions(height, self._state).page, self._state.details
        sort_choices, scroll_limit = self._tab.fit(self._state, width, page)
        state = fitted(
            self._state,
            page=page,
            sort_choices=sort_choices,
            scroll_limit=scroll_limit,
            help_texts=() if self._state.help is None else help_lines(self._help, width)[1],
            help_page=help_page(height),
            offered=self._tab.offered,
            details_length=len(detail_lines(self._state, details, width)) if details else 0,
            details_room=details_room(height, self._state),
        )
        if state is not self._state:
            self._change(state)
            state = self._state
            self._tab.fit(state, width, page)
        lines = screen(state, self._tab, self._help, width, height, now=asyncio.get_running_loop().time())
        return [in_ascii(line) for line in lines] if state.plain else lines

    def _take(self, event: Event) -> None:
        """Something came from the connection."""
        match event:
            case Snapshot():
                self._part = joined(self._part, event)
                if event.more:
                    return
                snapshot, self._part = self._part, None
                state = heard(received(self._state, snapshot), asyncio.get_running_loop().time())
                if self._recordings is not None and (done := self._recordings.recorded) is not None:
                    state = grown(state, done.size_bytes, done.trouble)
            case Detail():
                state = detailed(self._state, event)
            case Done():
                state = acted(self._state, event.text, good=True)
            case Up():
                state = heard(
                    connected(self._state, event.host, event.may, event.server, event.whose),
                    asyncio.get_running_loop().time(),
                )
            case Down():
                state = lost(self._state, event.why, event.hint, forever=event.forever)
            case Members():
                state = mustered(self._state, event.members)
            case Error():
                state = _with_error(self._state, event)
            case _:
                return
        self._show_if_new(state)

    async def listen(self) -> None:
        """Follow the connection. Where it cannot come back, leave and say why."""
        self._mind_silence()
        async with aclosing(self._connection.events()) as events:
            async for event in events:
                self._take(event)
        self.leave(Unavailable(f"lost the daemon: {self._state.trouble}"))

    def leave(self, reason: Unavailable | None = None) -> None:
        """End the application, once."""
        if self._app.is_running and not self._app.is_done:
            self._app.exit(result=reason)

    async def show(self) -> Unavailable | None:
        """Run on the terminal until the user leaves; a reason where the viewer had to leave by itself."""
        try:
            return await self._app.run_async(set_exception_handler=False)
        except (EOFError, OSError):
            return None  # the terminal itself is gone: nobody is left to tell


def _with_error(state: ViewState, error: Error) -> ViewState:
    """What the daemon did not like: a filter, what was to be done to a flow, or something else."""
    if error.code is ErrorCode.FILTER:
        return refused(state, error)
    if state.act is not None and error.code in {ErrorCode.FAILED, ErrorCode.DENIED}:
        return acted(state, error.message, good=False)
    return complained(state, error.message)


async def run(
    connection: Link,
    state: ViewState,
    up: Up,
    *,
    files: Files = NO_FILES,
    keys: Mapping[str, Sequence[str]] = NO_KEYS,
    colours: bool = True,
) -> Unavailable | None:
    """Show what an open connection delivers, until the user leaves or the daemon is gone for good.

    `keys` are those of the configuration file, by the names of what they do.
    """
    loop = asyncio.get_running_loop()
    sections: Sections = SECTIONS
    if keys:
        from flowtop_client.tui.rebinding import rebound  # noqa: PLC0415  # most viewers have the usual keys

        sections, warnings = rebound(keys)
        state = replace(state, warnings=state.warnings + warnings)
    state = heard(connected(state, up.host, up.may, up.server, up.whose), loop.time())
    signals = (signal.SIGTERM, signal.SIGHUP)
    try:
        async with asyncio.TaskGroup() as tasks:
            recordings = Recordings(connection.target, tasks, Path.cwd())
            viewer = Viewer(connection, state, recordings=recordings, files=files, sections=sections, colours=colours)
            for number in signals:
                loop.add_signal_handler(number, viewer.leave)  # the terminal must be put back
            viewer.mind_job_control()
            listening = tasks.create_task(viewer.listen())
            reason = await viewer.show()
            viewer.mind_job_control(on=False)
            listening.cancel()
            recordings.stop()
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
    return reason
