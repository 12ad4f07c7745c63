"""Where greenlets and threads stand: their frames read at once, then named through caches."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain, repeat, starmap, takewhile, tee
from operator import attrgetter, methodcaller, truth
from types import CodeType, FrameType
from typing import Any
from weakref import ref

from voltscope.probe.quiet import ONCE

# [function, file, line]
Frame = tuple[str, str, int]
Places = list[tuple[CodeType, int]]

DEEPEST = 128
MOST_KEPT = 20_000
# Of text of stacks: an agent with deep ones has ever new ones while it is sampled, some 5 kB each.
MOST_TEXT = 8_000_000
_place = attrgetter("f_code", "f_lineno")
_BACK = ("f_back",) * (DEEPEST - 1)


def of_greenlets(greenlets: Iterable[ref[Any]]) -> list[Places]:
    """Code and line of each frame of parked greenlets, innermost first; empty of one that runs, has ended, is gone or
    not begun.

    One call into C without a byte of bytecode: a greenlet that ran on meanwhile would take its frames away from under
    us (from Python 3.12 on, walking a resumed greenlet's frames by `f_back` can crash). No frame is kept: a frame
    keeps the local variables alive. Nor is a greenlet: ours might be the last reference.
    """
    frames = map(getattr, map(methodcaller("__call__"), greenlets), repeat("gr_frame"), repeat(None))
    return list(_walks(zip(frames)))


def of_thread(frame: FrameType) -> Places:
    """The same of a thread that waits for the interpreter, from its innermost frame."""
    return list(_walk(iter((frame,))))


def of_running(thread: int | None) -> Places:
    """The same of the thread with that identity, empty when it is not there."""
    return list(_walk(map(methodcaller("get", thread), starmap(sys._current_frames, ONCE))))


def of_threads(but: set[int]) -> dict[int, Places]:
    """The same of all threads except those with the identities `but`."""
    found: list[Any] = []
    threads, frames, all_frames = tee(starmap(sys._current_frames, ONCE), 3)
    walks = _walks(map(repeat, chain.from_iterable(map(dict.values, frames)), repeat(1)))
    # One call again, which lets the frames go at its end: kept for longer they would end with us, and what hangs on
    # them. Their threads run on as soon as there is bytecode.
    found.extend(
        chain(zip(chain.from_iterable(map(dict.keys, threads)), walks, strict=False), map(dict.clear, all_frames))
    )
    return {thread: places for thread, places in found[:-1] if thread not in but}


def count_threads() -> int:
    """How many there are, our own among them."""
    return sum(map(len, starmap(sys._current_frames, ONCE)))


def _walk(first: Iterator[Any]) -> Iterator[tuple[CodeType, int]]:
    """From the innermost frame, the one `first` gives, if any. Nothing is looked at before the first is asked for."""
    return map(_place, takewhile(truth, accumulate(chain(first, _BACK), getattr)))


def _walks(firsts: Iterable[Iterable[Any]]) -> Iterator[Places]:
    """As _walk, of many; each of `firsts` gives one innermost frame, or None."""
    standing: Any = map(takewhile, repeat(truth), map(accumulate, map(chain, firsts, repeat(_BACK)), repeat(getattr)))
    return map(list, map(map, repeat(_place), standing))


class Stack:
    """A stack named: `frames` innermost first, `folded` root first with `;`, `text` the frames as JSON."""

    __slots__ = ("folded", "frames", "text")

    def __init__(self, frames: tuple[Frame, ...]) -> None:
        self.frames = frames
        self.folded = ";".join([folded(frame) for frame in reversed(frames)])
        self.text = json.dumps(frames, separators=(",", ":"))


EMPTY = Stack(())


def folded(frame: Frame) -> str:
    """`function (file:line)`, as profiles have it."""
    function, file, line = frame
    return f"{function} ({file}:{line})".replace(";", ",").replace("\n", " ")


class Names:
    """Names of places and stacks, each made once; bounded, for a program may make ever new code."""

    def __init__(self, most: int = MOST_KEPT, most_text: int = MOST_TEXT) -> None:
        self._most, self._most_text, self._text = most, most_text, 0
        # By the code's identity, for hashing code means hashing all its constants; kept, so that it stays its own.
        self._frames: dict[tuple[int, int], tuple[CodeType, Frame]] = {}
        self._stacks: dict[tuple[int, ...], Stack] = {}
        self._paths: dict[tuple[str, Stack], str] = {}

    def stack(self, places: Places) -> Stack:
        """The stack of these places."""
        if not places:
            return EMPTY
        key = tuple(chain.from_iterable([(id(code), line or 0) for code, line in places]))
        found = self._stacks.get(key)
        if found is None:
            self._make_room()
            frames = tuple([self.frame(code, line) for code, line in places])
            found = self._stacks[key] = Stack(frames)
            self._text += len(found.folded) + len(found.text)
        return found

    def path(self, root: str, stack: Stack) -> str:
        """`root` and the stack in folded form, as JSON has text."""
        found = self._paths.get((root, stack))
        if found is None:
            self._make_room()
            text = json.dumps(f"{root};{stack.folded}" if root else stack.folded)
            found = self._paths[root, stack] = text
            self._text += len(found)
        return found

    def _make_room(self) -> None:
        full = max(len(self._stacks), len(self._frames), len(self._paths)) >= self._most
        if full or self._text >= self._most_text:
            self._stacks.clear()
            self._frames.clear()
            self._paths.clear()
            self._text = 0

    def frame(self, code: CodeType, line: int | None) -> Frame:
        """The place named."""
        key = (id(code), line or 0)
        found = self._frames.get(key)
        if found is None:
            found = self._frames[key] = (code, named(code, line))
        return found[1]


def named(code: CodeType, line: int | None) -> Frame:
    """A frame of a line of that code; where the interpreter knows no line, the one it is defined in."""
    return function(code), sendable(code.co_filename), line or code.co_firstlineno


def sendable(text: str) -> str:
    """Without what JSON has no form for: a path that is no UTF-8 has halves of surrogate pairs in its place."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def function(code: CodeType) -> str:
    """The function's name, with its class where the interpreter keeps it (from Python 3.11 on)."""
    return str(getattr(code, "co_qualname", code.co_name))


def in_slices(items: list[Any], size: int) -> Iterator[list[Any]]:
    """`items` in pieces of at most `size`."""
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]
