"""austin as a sampler: it writes a line for a sample as it takes it, and never pauses its target."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator

from voltscope.errors import BackendFailed
from voltscope.live.samplers.base import EVERY_S, USUAL_RATE, Frame, Seen, Stack, frame
from voltscope.live.samplers.needs import unmet
from voltscope.live.samplers.piped import Piped
from voltscope.live.source import Wish
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.austin import BEGINS, INVALID, RECORD, Austin, last_words, parts
from voltscope.profiling.backends.refusal import may_attach, refused
from voltscope.profiling.backends.running import ATTACH_DEADLINE_S, find_program
from voltscope.profiling.targets import Target

_LONGEST_RECORD = 1 << 20
_MOST_STACKS = 4000


class AustinSampler:
    """Every sample by thread, in order, a tenth of a second after it was taken: austin's own buffer is that large."""

    name = "austin"

    def __init__(self) -> None:
        self._program = find_program("austin")
        self._backend = Austin(self._program)

    def unavailable(self, target: Target) -> str | None:
        return unmet(self._backend, target)

    def sample(self, target: Target, wish: Wish, *, ordered: bool) -> _AustinSamples:
        if self._program is None:
            raise BackendFailed("austin is not installed.", "Install it beside voltscope.")
        interval_us = max(1, round(1_000_000 / (wish.rate or USUAL_RATE)))
        command = [str(self._program), "--pipe", "--interval", f"{interval_us}us", "--timeout", "1s"]
        command += ["--exposure", str(max(1, round(wish.seconds))), "--pid", str(target.pid)]
        if not may_attach(self._program, target.pid).met:
            raise refused(target.pid, self._program)
        return _AustinSamples(Piped(command, wish.seconds + ATTACH_DEADLINE_S), target.pid)


class _AustinSamples:
    def __init__(self, program: Piped, pid: int) -> None:
        self._program, self._pid = program, pid

    def rounds(self) -> Iterator[list[Seen]]:
        reading, handed_on, found = Reading(), time.monotonic(), list[Seen]()
        for chunk in self._program.chunks(EVERY_S):
            found += reading.feed(chunk)
            if (now := time.monotonic()) - handed_on >= EVERY_S:
                yield found
                handed_on, found = now, []
        if found:
            yield found
        if not reading.seen and not self._program.stopped and ProcessTable().birth(self._pid) is not None:
            words = last_words(self._program.tail) or "no word"
            raise BackendFailed(f"austin failed on process {self._pid}: {words[-300:]}")

    def stop(self) -> None:
        self._program.stop()


class Reading:
    """austin's text, taken in as it comes: `P<pid>;T<interpreter>:<thread>;<file>:<function>:<line>;… <µs>` a sample,
    the µs since the thread's sample before. Stacks come again and again, and are taken apart once.
    """

    def __init__(self) -> None:
        self._rest, self._pending = b"", ""
        self._at: defaultdict[str, float] = defaultdict(float)
        self._stacks: dict[str, Stack] = {}
        self.seen = 0

    def feed(self, chunk: bytes) -> list[Seen]:
        """The samples that are whole now."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _LONGEST_RECORD:
            self._rest = b""
        found = []
        for line in lines:
            text = line.decode(errors="replace")
            # a function's name may hold a line break
            whole = text if BEGINS.match(text) or text.startswith("# ") else f"{self._pending}\n{text}"
            match = RECORD.fullmatch(whole)
            self._pending = "" if match or len(whole) > _LONGEST_RECORD else whole
            frames = match["frames"] or "" if match else ""
            if match is None:
                continue
            thread = match["thread"]
            self._at[thread] += max(0, int(match["metric"])) / 1e6
            self.seen += 1
            if frames and not frames.endswith(INVALID):
                found.append(Seen(self._at[thread], _number(thread), self._stack(frames)))
        return found

    def _stack(self, frames: str) -> Stack:
        known = self._stacks.get(frames)
        if known is None:
            if len(self._stacks) >= _MOST_STACKS:
                self._stacks.clear()
            known = self._stacks[frames] = tuple(_frame(text) for text in frames.split(";"))
        return known


def _frame(text: str) -> Frame:
    found = parts(text)
    return frame(text, "", 0) if found is None else frame(found[0], found[1], int(found[2][:9]))


def _number(thread: str) -> int:
    """The thread of `0:21981`; interpreters of one process share its numbers."""
    text = thread.rpartition(":")[2]
    return int(text, 0) if text.isascii() and text.isdigit() and len(text) < 16 else 0
