"""A traceback that an agent printed, which the platform logs as one record a line, as the one event it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

TRACEBACK = "Traceback (most recent call last):"
# A traceback is written within milliseconds; a line of the same process this much later is another event. By the
# log's own time, so that it does not matter when, and in which pieces, the log is read.
GAP_MS = 2000
MAX_OPEN = 64
_MAX_CHARS = 1024 * 1024
_LONGEST_LINE = 64 * 1024
_CHAIN = re.compile(r"During handling of the above exception|The above exception was the direct cause")
# gevent's own last line: "2026-11-21T03:59:42Z <Greenlet at 0x7f..: function(...)> failed with KeyError"
_GREENLET = re.compile(r"\d{4}-\d\d-\d\dT\S+ <\w*Greenlet ")


@dataclass
class Traceback:
    """One that may still grow. `ranges`: offset and size of its lines in the file; other processes' lie between."""

    header: str
    at: int
    last_at: int
    lines: list[str]
    ranges: list[tuple[int, int]]
    chars: int
    _state: str = field(default="frames", repr=False)

    @property
    def text(self) -> str:
        """The whole message."""
        return "\n".join(self.lines)

    @property
    def offset(self) -> int:
        """The first byte of its first line."""
        return self.ranges[0][0]

    @property
    def size(self) -> int:
        """Bytes of its lines."""
        return sum(size for _, size in self.ranges)

    def add(self, at: int, text: str, offset: int, size: int) -> None:
        """Take a further line."""
        self.lines.append(text)
        self.chars += len(text) + 1
        self.last_at = at
        last, length = self.ranges[-1]
        if last + length == offset:
            self.ranges[-1] = (last, length + size)
        else:
            self.ranges.append((offset, size))

    def continues(self, at: int, text: str) -> bool:
        """Whether that is its next line.

        The platform prefixes every line an agent writes on stderr, so a traceback is told by its own grammar:
        indented frames, the exception's line, then perhaps a chained traceback or gevent's closing line.
        """
        if abs(at - self.last_at) > GAP_MS or self.chars > _MAX_CHARS:
            return False
        text = text.partition("\n")[0]
        if self._state == "frames":
            if text and not text[0].isspace():
                self._state = "ended"
            return True
        if not text or text[0].isspace() or _GREENLET.match(text):
            return True
        if _CHAIN.match(text):
            self._state = "chained"
            return True
        if self._state == "chained" and text == TRACEBACK:
            self._state = "frames"
            return True
        return False


class Tracebacks:
    """Those that are open, one a process: agents print at the same time. Not thread-safe.

    `held`: by process; it is the same dictionary always.
    """

    def __init__(self) -> None:
        self.held: dict[int, Traceback] = {}

    def __bool__(self) -> bool:
        return bool(self.held)

    def __iter__(self) -> Iterator[Traceback]:
        return iter(list(self.held.values()))

    def feed(self, pid: int, header: str, at: int, text: str, offset: int, size: int) -> tuple[list[Traceback], bool]:
        """Take a line of stderr: the tracebacks it closes, and whether it is part of one itself."""
        closed = []
        current = self.held.get(pid)
        if len(text) > _LONGEST_LINE:
            return self.close(pid), False
        if current is not None:
            if current.continues(at, text):
                current.add(at, text, offset, size)
                return [], True
            closed = self.close(pid)
        if text.partition("\n")[0].lstrip(" +|") != TRACEBACK:
            return closed, False
        if len(self.held) >= MAX_OPEN:
            closed += self.close(min(self.held, key=lambda other: self.held[other].last_at))
        self.held[pid] = Traceback(header, at, at, [text], [(offset, size)], len(text))
        return closed, True

    def reopen(self, pid: int, one: Traceback) -> None:
        """Take up one that was open before a restart."""
        self.held[pid] = one

    def close(self, pid: int) -> list[Traceback]:
        """Close that of a process, if it has one."""
        return [self.held.pop(pid)] if pid in self.held else []

    def expire(self, at: int) -> list[Traceback]:
        """Close those to which nothing dated `at` can belong."""
        return [self.held.pop(pid) for pid, one in list(self.held.items()) if abs(at - one.last_at) > GAP_MS]

    def flush(self) -> list[Traceback]:
        """Close all: nothing came for a while, or the file ended."""
        closed = list(self.held.values())
        self.held.clear()
        return closed
