"""From what programs/flow.bt tells to the steps of a flow: put in order, with names, each call with its return."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable

from voltscope.live.bpftrace import Message
from voltscope.live.views import Flow, Place, Step

# The kernel has a buffer for each processor, and bpftrace reads one after the other: what is younger than this may
# still be overtaken by what comes next.
UNSETTLED_NS = 200_000_000
# batches of nothing, a tenth of a second each
_SILENCE = 2
# Steps that one thread may have open, and events that wait to be put in order.
_DEEPEST, _MOST_WAITING = 10_000, 500_000
_UNKNOWN = "?"

_Function = tuple[int, int]  # where the interpreter keeps the names of its file and of itself
_Event = tuple[int, int, int, str, _Function, int]  # nanoseconds, order of arrival, thread, kind, function, line


class Steps:
    """Events of all threads of one process, as steps.

    Threads are told apart, greenlets are not: one that is parked looks like a call that returns later, and what
    another one calls meanwhile stands below it.
    """

    def __init__(self, thread_name: Callable[[int], str]) -> None:
        """`thread_name`: of the kernel's number of a thread."""
        self._thread_name = thread_name
        self._waiting: list[_Event] = []
        self._arrived = self._newest = self._silent = 0
        self._done: dict[int, int] = {}  # by thread
        self._begin: int | None = None
        self._announced = False
        self._names: dict[_Function, str] = {}
        self._files: dict[int, str] = {}
        self._places: dict[tuple[str, str], int] = {}
        self._open: dict[int, list[_Function]] = {}
        self._steps: list[Step] = []
        self._new_places: dict[int, Place] = {}
        self._new_tracks: dict[int, str] = {}
        self.dropped = 0
        self.calls = self.returns = 0

    def take(self, batch: Iterable[Message]) -> None:
        """Take what was said. After batches of nothing no more is on its way, and all can be put in order."""
        self._silent += 1
        for message in batch:
            self._silent = 0
            if message.kind == "printf" and isinstance(message.data, str):
                self._hear(message.data.rstrip("\n"))
            elif message.kind == "lost_events" and isinstance(message.data, dict):
                self.dropped += int(message.data.get("events", 0))
        self._settle(self._newest if self._silent >= _SILENCE else self._newest - UNSETTLED_NS)

    def flush(self) -> None:
        """Nothing more will come."""
        self._settle(self._newest)

    def told(self, lost: int = 0) -> Flow | None:
        """The steps since the last time; None when there are none, but for the first time: it says that all is in
        place. `lost`: steps dropped before they came here.
        """
        if not self._steps and (self._announced or self._begin is None):
            return None
        self._announced = True
        flow = Flow(
            at=time.time(),
            steps=tuple(self._steps),
            places=self._new_places,
            tracks=self._new_tracks,
            dropped=self.dropped + lost,
        )
        self._steps, self._new_places, self._new_tracks = [], {}, {}
        return flow

    def _hear(self, line: str) -> None:
        kind, _, rest = line.partition(" ")
        try:
            if kind in ("e", "r"):
                at, thread, file, name, number = map(int, rest.split(" "))
                self._wait((at, self._arrived, thread, kind, (file, name), number))
            elif kind == "name":
                file_at, name_at, text = rest.split(" ", 2)
                self._names[int(file_at), int(name_at)] = text
            elif kind == "file":
                file_at, text = rest.split(" ", 1)
                self._files[int(file_at)] = text
            elif kind == "begin":
                self._begin = int(rest)
        except ValueError:
            self.dropped += 1

    def _wait(self, event: _Event) -> None:
        self._arrived += 1
        if event[0] < self._done.get(event[2], 0) or len(self._waiting) >= _MOST_WAITING:
            self.dropped += 1  # overtaken, or more than there is room for
            return
        self._newest = max(self._newest, event[0])
        heapq.heappush(self._waiting, event)

    def _settle(self, until: int) -> None:
        while self._waiting and self._waiting[0][0] <= until:
            at, _, thread, kind, function, line = heapq.heappop(self._waiting)
            self._done[thread] = at
            begin = self._begin if self._begin is not None else at
            self._begin = begin
            self._step((at - begin) / 1e9, thread, kind, function, line)

    def _step(self, at: float, thread: int, kind: str, function: _Function, line: int) -> None:
        if thread not in self._open:
            self._open[thread] = []
            self._new_tracks[thread] = self._thread_name(thread)
        place = self._place(function, line)
        stack = self._open[thread]
        if kind == "e":
            self.calls += 1
            self._steps.append(Step(at, thread, "call", place, line, len(stack)))
            stack.append(function)
            if len(stack) > _DEEPEST:
                del stack[0]
            return
        self.returns += 1
        # from the innermost: those above it belong to other greenlets, or their return was lost
        depth = next((index for index in range(len(stack) - 1, -1, -1) if stack[index] == function), None)
        if depth is not None:
            del stack[depth]
        self._steps.append(Step(at, thread, "return", place, line, depth or 0))

    def _place(self, function: _Function, line: int) -> int:
        name, file = self._names.get(function, _UNKNOWN), self._files.get(function[0], _UNKNOWN)
        number = self._places.get((name, file))
        if number is None:
            number = self._places[name, file] = len(self._places)
            self._new_places[number] = Place(name, file, line)
        return number
