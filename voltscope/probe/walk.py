"""Where greenlets and threads stand: their frames read at once, then named through caches."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import accumulate, chain, islice, takewhile
from operator import attrgetter, truth
from types import CodeType, FrameType
from typing import Any

# [function, file, line]
Frame = tuple[str, str, int]
Places = list[tuple[CodeType, int]]

DEEPEST = 128
MOST_KEPT = 20_000
# Of text of stacks: an agent with deep ones has ever new ones while it is sampled, some 5 kB each.
MOST_TEXT = 8_000_000
_place = attrgetter("f_code", "f_lineno")
_BACK = ("f_back",) * (DEEPEST - 1)
_FROM_GREENLET = ("gr_frame", *_BACK)


def of_greenlet(greenlet: Any) -> Places:
    """Code and line of each frame of a parked greenlet, innermost first; empty when it runs, has ended or not begun.

    One call into C without a byte of bytecode: a greenlet that ran on meanwhile would take its frames away from under
    us (from Python 3.12 on, walking a resumed greenlet's frames by `f_back` can crash). No frame is kept: a frame
    keeps the local variables alive.
    """
    frames = islice(accumulate(_FROM_GREENLET, getattr, initial=greenlet), 1, None)
    return list(map(_place, takewhile(truth, frames)))


def of_thread(frame: FrameType) -> Places:
    """The same of a thread that waits for the interpreter, from its innermost frame."""
    return list(map(_place, takewhile(truth, accumulate(_BACK, getattr, initial=frame))))


def of_threads(but: set[int]) -> dict[int, Places]:
    """The same of all threads except those with the identities `but`."""
    frames = sys._current_frames()
    try:
        return {thread: of_thread(frame) for thread, frame in frames.items() if thread not in but}
    finally:
        frames.clear()  # our own frame is among them, and would be kept by itself


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

    def stack(self, places: Places) -> Stack:
        """The stack of these places."""
        if not places:
            return EMPTY
        key = tuple(chain.from_iterable([(id(code), line or 0) for code, line in places]))
        found = self._stacks.get(key)
        if found is None:
            full = len(self._stacks) >= self._most or len(self._frames) >= self._most
            if full or self._text >= self._most_text:
                self._stacks.clear()
                self._frames.clear()
                self._text = 0
            frames = tuple([self.frame(code, line) for code, line in places])
            found = self._stacks[key] = Stack(frames)
            self._text += len(found.folded) + len(found.text)
        return found

    def frame(self, code: CodeType, line: int | None) -> Frame:
        """The place named."""
        key = (id(code), line or 0)
        found = self._frames.get(key)
        if found is None:
            found = self._frames[key] = (code, named(code, line))
        return found[1]


def named(code: CodeType, line: int | None) -> Frame:
    """A frame of a line of that code; where the interpreter knows no line, the one it is defined in."""
    return function(code), code.co_filename, line or code.co_firstlineno


def function(code: CodeType) -> str:
    """The function's name, with its class where the interpreter keeps it (from Python 3.11 on)."""
    return str(getattr(code, "co_qualname", code.co_name))


def in_slices(items: list[Any], size: int) -> Iterator[list[Any]]:
    """`items` in pieces of at most `size`."""
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]
