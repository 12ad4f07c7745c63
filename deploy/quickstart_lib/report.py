"""What the reader sees: each step with progress and time, failures with their remedy, and the closing table."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from .failure import StepFailed

_FRAMES = "|/-\\"


class Report:
    """Writes to `out`; on a terminal the running step shows its seconds, elsewhere one line a step."""

    def __init__(self, steps: int, out: TextIO = sys.stdout, clock: Callable[[], float] = time.monotonic) -> None:
        self._steps = steps
        self._number = 0
        self._out = out
        self._clock = clock
        self._began = clock()
        self._note = ""
        self.warnings: list[str] = []

    @property
    def elapsed(self) -> float:
        """Seconds since the report was made."""
        return self._clock() - self._began

    def note(self, text: str) -> None:
        """A few words to be shown behind the running step."""
        self._note = text

    def warn(self, text: str) -> None:
        """Something the reader should know although it goes on; said now and again at the end."""
        self.warnings.append(text)
        self._note = "see the warning below"

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Shows `title` with its time; whatever is raised inside is shown as failed and raised on."""
        self._number += 1
        self._note = ""
        heard = len(self.warnings)
        label = f"[{self._number:2}/{self._steps}] {title}"
        began = self._clock()
        stop = threading.Event()
        spinner = threading.Thread(target=self._spin, args=(label, began, stop), daemon=True)
        if self._out.isatty():
            spinner.start()
        word = "FAILED"
        try:
            yield
            word = "ok"
        finally:
            stop.set()
            if spinner.is_alive():
                spinner.join()
            note = f"  {self._note}" if self._note else ""
            clear = "\r\033[K" if self._out.isatty() else ""
            print(f"{clear}{label:<58} {word:<6} {self._clock() - began:6.1f} s{note}", file=self._out, flush=True)
            for text in self.warnings[heard:]:
                print(f"        warning: {text}", file=self._out, flush=True)

    def failure(self, error: StepFailed) -> None:
        """Why it ended, the last lines concerned, and what to do."""
        print(f"\nThe last step failed: {error.why}", file=self._out)
        lines = error.last_lines()
        if lines:
            print(f"\nLast lines{f' of {error.log}' if error.log else ''}:", file=self._out)
            for line in lines:
                print(f"    {line}", file=self._out)
        if error.remedy:
            print(f"\nWhat to do: {error.remedy}", file=self._out)
        self._out.flush()

    def table(self, rows: Iterable[tuple[str, str]]) -> None:
        """Two columns, the first as wide as its widest word."""
        known = [(name, value) for name, value in rows if value]
        width = max(len(name) for name, _ in known)
        for name, value in known:
            print(f"  {name:<{width}}  {value}", file=self._out)
        self._out.flush()

    def say(self, text: str = "") -> None:
        """A line of its own."""
        print(text, file=self._out, flush=True)

    def _spin(self, label: str, began: float, stop: threading.Event) -> None:
        for frame in itertools.cycle(_FRAMES):
            seconds = self._clock() - began
            print(f"\r\033[K{label} {frame} {seconds:.0f} s  {self._note}", end="", file=self._out, flush=True)
            if stop.wait(0.2):
                return
