"""A flow as an indented tree: each call below its caller, with the time it took, by greenlet or thread."""

from __future__ import annotations

from collections import deque

import click

from voltscope.cli.live_places import function_of, said
from voltscope.cli.terminal import brief, number, shown
from voltscope.live.views import Flow, Place, Step, Update

_CALLS = ("call", "c-call")
_RETURNS = ("return", "c-return")
# Deeper ones stand here: beyond it a terminal shows indentation and nothing else.
_DEEPEST = 40
_LONG_S = 0.01
# More than any terminal has rows.
_KEPT = 500


class FlowPicture:
    """Lines as they come about. A call that returns before anything else happens is one line with its time."""

    def __init__(self) -> None:
        self._places: dict[int, Place] = {}
        self._tracks: dict[int, str] = {}
        self._open: dict[int, list[Step]] = {}
        self._lone: Step | None = None
        self._track: int | None = None
        self._dropped = 0
        self._new: list[str] = []
        self._last: deque[str] = deque(maxlen=_KEPT)

    def take(self, update: Update) -> None:
        """Go on with these steps."""
        assert isinstance(update, Flow)  # noqa: S101  a session has one view
        self._places.update(update.places)
        self._tracks.update(update.tracks)
        if update.dropped > self._dropped:
            self._settle()
            self._say(f"… {number(update.dropped - self._dropped)} steps are missing: there was no room for them")
            self._dropped = update.dropped
            self._open.clear()
        for step in update.steps:
            self._step(step)

    def lines(self, columns: int | None, rows: int | None) -> list[str]:
        """With `rows` the last so many; without, those that are new since the last time."""
        if rows is None:
            new, self._new = self._new, []
            return new
        self._new.clear()
        return [_cut(line, columns) for line in list(self._last)[-max(1, rows) :]]

    def end(self) -> list[str]:
        """A call that still waited for its return."""
        self._settle()
        return self.lines(None, None)

    def _step(self, step: Step) -> None:
        lone, track = self._lone, self._open.setdefault(step.track, [])
        if lone is not None:
            if step.kind in _RETURNS and (step.track, step.place) == (lone.track, lone.place):
                self._lone = None
                self._line(lone, f"{self._named(lone)}  {_took(step.at - lone.at)}")
                return
            self._settle()
        if step.track != self._track:
            self._track = step.track
            self._say(click.style(f"── {shown(self._tracks.get(step.track, f'track {step.track}'))}", bold=True))
        if step.kind in _CALLS:
            self._lone = step
        elif step.kind in _RETURNS:
            self._return(step, track)
        elif step.kind == "line":
            self._line(step, f"line {step.line}")
        else:
            self._line(step, self._named(step))

    def _return(self, step: Step, track: list[Step]) -> None:
        while track and track[-1].depth > step.depth:
            track.pop()  # its own return was not seen
        if track and (track[-1].depth, track[-1].place) == (step.depth, step.place):
            self._line(step, f"← {self._function(step)}  {_took(step.at - track.pop().at)}")
        else:
            self._line(step, f"← {self._named(step)}")

    def _settle(self) -> None:
        """The call that waits has not returned at once: it stands alone, and what it calls comes below."""
        if self._lone is not None:
            step, self._lone = self._lone, None
            self._open.setdefault(step.track, []).append(step)
            self._line(step, self._named(step))

    def _named(self, step: Step) -> str:
        return said(self._places.get(step.place), step.line)

    def _function(self, step: Step) -> str:
        place = self._places.get(step.place)
        return function_of(place) if place else said(None)

    def _line(self, step: Step, text: str) -> None:
        self._say("  " * min(step.depth + 1, _DEEPEST) + text)

    def _say(self, line: str) -> None:
        self._new.append(line)
        self._last.append(line)


def _took(seconds: float) -> str:
    return click.style(brief(seconds), fg="yellow" if seconds >= _LONG_S else "bright_black")


def _cut(line: str, columns: int | None) -> str:
    """Too wide is cut and loses its colour, which might begin where it ends."""
    if columns is None or len(plain := click.unstyle(line)) <= columns:
        return line
    return f"{plain[: columns - 1]}…"
