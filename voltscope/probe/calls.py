"""Every call and return in order, by greenlet, for a short time: the stream `calls`.

The interpreter calls us at each of them: through `sys.monitoring` from Python 3.12 on, else through a profile function
(`sys.setprofile`), which the hub's own thread installs and which then sees all its greenlets.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from time import perf_counter
from types import CodeType, FrameType
from typing import Any
from weakref import ref

from voltscope.probe import quiet, start

CALL, RETURN, C_CALL, C_RETURN = "call", "return", "c-call", "c-return"
# [at, track, kind, code or C function's name, line]; a negative line is an offset into the code
Event = tuple[float, int, str, Any, int, int]
MOST_FRAMES = 1000
_CALLS, _RETURNS = ("PY_START", "PY_RESUME", "PY_THROW"), ("PY_RETURN", "PY_YIELD", "PY_UNWIND")


class Recorder:
    """Takes down what happens, at most `most` events until they are taken away; `dropped` counts the others.

    It ends by itself at `deadline` (perf_counter): whoever asked may be gone.
    """

    def __init__(self, most: int, deadline: float, builtins: bool) -> None:
        self._most, self._deadline, self.builtins = most, deadline, builtins
        self.events: list[Event] = []
        self.dropped = 0
        self.ended = False
        # By identity: weak reference, number, depth. A list, for its depth changes with each event.
        self._tracks: dict[int, list[Any]] = {}
        # The outermost code of each track: the name of a greenlet that has ended meanwhile.
        self.outermost: dict[int, CodeType] = {}
        self._next = 1
        self._current = sys.modules["greenlet"].getcurrent
        quiet.endings.add(self.end)

    def end(self) -> None:
        """Take down no more: whatever calls us takes itself out."""
        self.ended = True

    def take(self) -> list[Event]:
        """The events since the last time, in order."""
        count = len(self.events)
        taken = self.events[:count]
        del self.events[:count]  # those that came meanwhile stay
        return taken

    def note(self, kind: str, place: Any, line: int, frame: FrameType | None) -> None:
        """One event, in the thread and greenlet where it happens. `frame`: whose event it is."""
        now = perf_counter()
        if now > self._deadline:
            self.ended = True
            return
        greenlet = self._current()
        track = self._tracks.get(id(greenlet))
        if track is None or track[0]() is not greenlet:
            track = self._track(greenlet, kind, frame)
        depth = track[2]
        if kind in (CALL, C_CALL):
            track[2] = depth + 1
        else:
            depth = track[2] = max(0, depth - 1)
        if len(self.events) < self._most:
            self.events.append((now, track[1], kind, place, line, depth))
        else:
            self.dropped += 1

    def _track(self, greenlet: Any, kind: str, frame: FrameType | None) -> list[Any]:
        """A greenlet met for the first time: how deep it is, its frames tell."""
        depth, outermost = 0, frame
        while frame is not None and depth < MOST_FRAMES:
            outermost, frame, depth = frame, frame.f_back, depth + 1
        if kind == CALL:
            depth -= 1
        elif kind == C_RETURN:
            depth += 1
        number, self._next = self._next, self._next + 1
        track = self._tracks[id(greenlet)] = [ref(greenlet), number, depth]
        if outermost is not None:
            self.outermost[number] = outermost.f_code
        return track

    def greenlets(self) -> dict[int, ref[Any]]:
        """The greenlets met, by their numbers; weak, lest one that ends meanwhile be finalised in our thread."""
        return {number: weak for weak, number, _ in list(self._tracks.values())}


class Profile:
    """The profile function of one hub's thread."""

    def __init__(self, hub: Any, recorder: Recorder) -> None:
        self._hub: Callable[[], Any] = ref(hub)
        self._recorder = recorder
        self._function = self._profiler()
        self.refused = False

    def begin(self) -> None:
        """Install it in the hub's next turn; `refused` then, when another profile function is there."""
        self._hub().loop.run_callback_threadsafe(self._install)

    def end(self) -> None:
        """Take it out: at the next event, or as soon as the loop turns. Once the recorder has ended."""
        with contextlib.suppress(Exception):  # no hub any more, or a loop that is being destroyed
            self._hub().loop.run_callback_threadsafe(self._remove)

    def _install(self) -> None:
        self.refused = sys.getprofile() is not None
        if not self._recorder.ended and not self.refused:
            sys.setprofile(self._function)

    def _remove(self) -> None:
        if sys.getprofile() is self._function:
            sys.setprofile(None)

    def _profiler(self) -> Callable[[FrameType, str, Any], None]:
        recorder, note, builtins = self._recorder, self._recorder.note, self._recorder.builtins
        ours = frozenset((self._install.__code__, self._remove.__code__))

        def profile(frame: FrameType, event: str, argument: Any) -> None:
            if recorder.ended:
                self._remove()
            elif event == "call" or event == "return":
                note(event, frame.f_code, frame.f_lineno, frame)
            elif builtins and frame.f_code not in ours:
                note(C_CALL if event == "c_call" else C_RETURN, argument.__qualname__, frame.f_lineno, frame)

        return profile


class Monitor:
    """The same through `sys.monitoring`, for all of the process; events of threads without a hub are left out."""

    TOOLS = (4, 3, 2)

    def __init__(self, threads: set[int], recorder: Recorder) -> None:
        self._threads, self._recorder = threads, recorder
        self._monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        self._tool: int | None = None
        self.refused = False

    def begin(self) -> None:
        """Begin at once; `refused` when all of the interpreter's tools are in use."""
        monitoring, events = self._monitoring, self._monitoring.events
        self._tool = next((tool for tool in self.TOOLS if monitoring.get_tool(tool) is None), None)
        self.refused = self._tool is None
        if self._tool is None:
            return
        monitoring.use_tool_id(self._tool, "voltscope")
        quiet.endings.add(self.end)
        wanted = 0
        callbacks = {**dict.fromkeys(_CALLS, self._on_call), **dict.fromkeys(_RETURNS, self._on_return)}
        for name, function in callbacks.items():
            monitoring.register_callback(self._tool, getattr(events, name), function)
            wanted |= getattr(events, name)
        monitoring.set_events(self._tool, wanted)

    def end(self) -> None:
        """End at once."""
        quiet.endings.discard(self.end)
        tool, self._tool = self._tool, None
        if tool is None:
            return
        self._monitoring.set_events(tool, self._monitoring.events.NO_EVENTS)
        for name in _CALLS + _RETURNS:  # freeing the tool does not forget them
            self._monitoring.register_callback(tool, getattr(self._monitoring.events, name), None)
        self._monitoring.free_tool_id(tool)

    def _on_call(self, code: CodeType, offset: int, *_: Any) -> None:
        if not self._recorder.ended and start.get_ident() in self._threads:
            self._recorder.note(CALL, code, code.co_firstlineno, sys._getframe(1))

    def _on_return(self, code: CodeType, offset: int, *_: Any) -> None:
        if not self._recorder.ended and start.get_ident() in self._threads:
            frame = sys._getframe(1)
            self._recorder.note(RETURN, code, frame.f_lineno, frame)
