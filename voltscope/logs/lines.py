"""Chunks of a file become blocks of complete lines, with bounded memory and exact byte offsets."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_LINE = 10 * 1024 * 1024
CONTEXT = 64 * 1024  # of a line's beginning, kept so that a secret cut in two is still seen


@dataclass(frozen=True)
class Block:
    """Complete lines, each with its newline; `offset` is the first byte's."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class Line:
    """A line that cannot be handed out in a block, without its newline. `offset`, `end`: first byte, byte after it.

    `cut`: bytes over the limit were left out. `partial`: its newline did not come in time; then `before` is what
    was handed out like this when the rest comes.
    """

    offset: int
    end: int
    data: bytes
    cut: bool = False
    partial: bool = False
    before: bytes = b""


class Lines:
    """Where in a file reading is. `begun`: the first byte not handed out; `end`: the first not read; between them
    is `pending`. `before`: what was handed out of the line that goes on at `begun`. `skipping`: until the next line.
    """

    def __init__(self, offset: int, before: bytes = b"") -> None:
        self.begun = self.end = offset
        self.before, self.skipping = before, False
        self.pending = bytearray()
        self._dropping = False

    def partial(self) -> Line:
        """What is there of a line whose newline did not come in time."""
        data = bytes(self.pending)
        line = Line(self.begun, self.end, data, self._dropping, True, self.before)
        self.before = (self.before + data)[-CONTEXT:]
        self.pending.clear()
        self.begun = self.end
        return line

    def split(self, data: bytes) -> list[Block | Line]:
        """The complete lines of what was held back and `data`, which was read at `end`; the rest is held back."""
        pieces: list[Block | Line] = []
        base = self.end
        self.end = base + len(data)
        first = data.find(b"\n")
        if first < 0:
            self._hold(data)
            return pieces
        at = 0  # of `data`, where the block begins
        if self.skipping or self._dropping or self.before or len(self.pending) + first > LONGEST_LINE:
            at = first + 1
            if not self.skipping:
                self._hold(data[:first])
                line = bytes(self.pending)
                pieces.append(Line(self.begun, base + at, line, self._dropping, False, self.before))
            self.skipping = self._dropping = False
            self.before = b""
            self.pending.clear()
            self.begun = base + at
        last = data.rfind(b"\n") + 1
        if last > at:
            held, part = bytes(self.pending), data[at:last]
            pieces.append(Block(self.begun, held + part if held else part))
            self.pending.clear()
        self.begun = base + last
        self._hold(data[last:])
        return pieces

    def _hold(self, data: bytes) -> None:
        if self.skipping or self._dropping:
            return
        room = LONGEST_LINE - len(self.pending)
        self._dropping = len(data) > room
        self.pending += data[:room]
