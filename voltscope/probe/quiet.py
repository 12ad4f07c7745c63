"""Short pieces of work during which nothing of the agent's runs, and what is undone where the agent forks in one."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from itertools import chain, compress, starmap
from operator import itemgetter
from types import TracebackType
from typing import Any

from voltscope.probe import start

# One call without an argument, for `starmap`.
ONCE: tuple[tuple[()]] = ((),)
# Thresholds that nothing exceeds, and that nobody else would set.
_NEVER = 2**31 - 637


class _Slice:
    """What one of the probe's threads does at a time, without garbage collection.

    A collection begins in the thread that makes an object too many (from Python 3.12 on in whichever comes by next),
    and runs the agent's finalisers there: they are not meant for our threads, and might let a greenlet run on while we
    walk its frames. So our threads hold this whenever they run, and let it go where they wait.

    Collections are put off by their thresholds: `gc.disable` is the agent's, and a second one could not be told from
    ours. Thresholds that the agent sets meanwhile stay.
    """

    def __init__(self) -> None:
        self._lock = start.allocate_lock()
        self._thresholds: Any = gc.get_threshold()
        self._found: list[Any] = []
        self._owner, self._depth = 0, 0

    def __enter__(self) -> None:
        if self._owner != start.get_ident():
            self._taken([], self._take())
        self._depth += 1

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = 0
            [].extend(chain(self._collect(), starmap(self._lock.release, ONCE)))

    def thread(self, function: Callable[..., None], *arguments: Any) -> None:
        """Start a native thread that holds this from its first object to its last. Raises RuntimeError."""
        start.start_new_thread(self._run, ([], self._take(), function, arguments))

    def _run(self, nothing: list[Any], take: Iterator[Any], function: Callable[..., None], arguments: Any) -> None:
        self._taken(nothing, take)
        with self:
            function(*arguments)

    def away(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What `function` of C's returns, which waits: collections and other threads of ours go on meanwhile.

        Raises whatever it raises. One chain of C from letting go to holding again: an object that we made between them
        could begin a collection.
        """
        if self._owner != start.get_ident():
            return function(*arguments)
        depth, nothing = self._depth, list[Any]()
        answers: list[Any] = []
        take = self._take()
        steps = chain(
            self._collect(),
            starmap(self._lock.release, ONCE),
            map(answers.append, starmap(function, (arguments,))),
            take,
        )
        self._owner, self._depth = 0, 0
        try:
            self._taken(nothing, steps)
        except BaseException:
            self._taken(nothing, take)
            raise
        finally:
            self._depth = depth
        return answers[0]

    def forked(self) -> None:
        """In a forked child: whoever held the lock is not there."""
        [].extend(self._collect())
        self._lock = start.allocate_lock()
        self._owner, self._depth = 0, 0

    def _taken(self, nothing: list[Any], steps: Iterator[Any]) -> None:
        nothing.extend(steps)
        self._owner = start.get_ident()
        found = self._found.pop()
        if found[0] != _NEVER:  # else the agent has read ours, and set them
            self._thresholds = found

    def _take(self) -> Iterator[Any]:
        """Steps that take the lock and put collections off. Reading thresholds makes an object: disabled meanwhile."""
        enabled: list[bool] = []
        return chain(
            starmap(self._lock.acquire, ONCE),
            map(enabled.append, starmap(gc.isenabled, ONCE)),
            starmap(gc.disable, ONCE),
            map(self._found.append, starmap(gc.get_threshold, ONCE)),
            starmap(gc.set_threshold, ((_NEVER, _NEVER, _NEVER),)),
            starmap(gc.enable, compress(ONCE, enabled)),
        )

    def _collect(self) -> Iterator[Any]:
        """Steps that let collections begin as they did, unless the agent has set other thresholds."""
        ours = map(_NEVER.__eq__, map(itemgetter(0), starmap(gc.get_threshold, ONCE)))
        return starmap(gc.set_threshold, compress((self._thresholds,), ours))


SLICE = _Slice()
# How long the agent has the interpreter for itself between two slices.
REST_S = 0.0003

# What must end in a forked child: each sets a flag that the hooks in the agent's own threads see.
endings: set[Callable[[], None]] = set()


def rest() -> None:
    """Let the agent run."""
    SLICE.away(start.sleep, REST_S)


def abandon() -> None:
    """In a forked child: no thread of ours is there to undo what we have begun."""
    SLICE.forked()
    for end in list(endings):
        end()
