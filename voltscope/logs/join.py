"""Lines become records: unprefixed lines join the record before them, and so do the lines of one stderr traceback."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from voltscope.logs.parse import Prefix
from voltscope.logs.tail import LONGEST_LINE

TRACEBACK = "Traceback (most recent call last):"
_CHAIN = re.compile(r"During handling of the above exception|The above exception was the direct cause")
# gevent's own last line: "2026-11-21T03:59:42Z <Greenlet at 0x7f..: function(...)> failed with KeyError"
_GREENLET = re.compile(r"\d{4}-\d\d-\d\dT\S+ <\w*Greenlet ")


@dataclass
class Joined:
    """The lines of one record. `prefix` is that of its first line, or of the record it continues."""

    prefix: Prefix
    offset: int
    end: int
    lines: list[str]
    size: int
    cut: bool = False
    continued: bool = False
    before: str = ""
    _state: str = field(default="", repr=False)

    @property
    def text(self) -> str:
        """The whole message."""
        return "\n".join(self.lines)

    def extend(self, text: str, end: int, cut: bool) -> None:
        """Take a further line; what is over the limit of a record is left out."""
        room = LONGEST_LINE - self.size - 1
        if len(text) > room:
            text, cut = text[: max(0, room)], True
        if room > 0:
            self.lines.append(text)
            self.size += len(text) + 1
        self.end, self.cut = end, self.cut or cut


class Joiner:
    """Holds the one record that may still grow. Not thread-safe."""

    def __init__(self, unknown: Prefix) -> None:
        """`unknown`: stands for the prefix of lines that come before any that has one."""
        self._last = unknown
        self._open: Joined | None = None

    @property
    def open_offset(self) -> int | None:
        """The first byte of the record still open, None when there is none."""
        return self._open.offset if self._open else None

    def feed(self, prefix: Prefix | None, text: str, offset: int, end: int, cut: bool, before: str) -> Joined | None:
        """Take a line; returns the record it closes, if any. `before`: see `Line.before`."""
        if self._open is not None and self._belongs(self._open, prefix, text):
            self._open.extend(text, end, cut)
            return None
        closed = self._open
        continued = prefix is None
        if prefix is None:
            if not text and before:  # the newline of a line that was handed out already
                self._open = None
                return closed
            prefix = self._last
        self._last = prefix
        self._open = Joined(prefix, offset, end, [text], len(text), cut, continued, before)
        if prefix.stream == "stderr" and text.lstrip(" +|") == TRACEBACK:
            self._open._state = "frames"
        return closed

    def flush(self) -> Joined | None:
        """Close the open record: nothing came for a while, or its file ended."""
        closed, self._open = self._open, None
        return closed

    @staticmethod
    def _belongs(record: Joined, prefix: Prefix | None, text: str) -> bool:
        if prefix is None:
            return not record.before or not record.continued
        if not record._state or prefix.stream != "stderr" or prefix.pid != record.prefix.pid:
            return False
        # The platform prefixes every line an agent writes on stderr, so a traceback is told by its own grammar:
        # indented frames, the exception's line, then perhaps a chained traceback or gevent's closing line.
        if record._state == "frames":
            if text and not text[0].isspace():
                record._state = "ended"
            return True
        if not text or text[0].isspace() or _GREENLET.match(text):
            return True
        if _CHAIN.match(text):
            record._state = "chained"
            return True
        if record._state == "chained" and text == TRACEBACK:
            record._state = "frames"
            return True
        return False
