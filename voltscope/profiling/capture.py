"""A capture: one profile of one process, from the request to what it found, said in figures and in words."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timezone
from typing import Any

import msgspec

from voltscope.errors import VoltscopeError
from voltscope.profiling.backends.base import Ending, Kind, Recording
from voltscope.profiling.stacks import (
    HUB,
    HUB_IDLE,
    Stacks,
    amount,
    hub_samples,
    own_shares,
    parse_frame,
    samples_in,
    share,
)

RECORDING, DONE, FAILED = "recording", "done", "failed"

# Below this share of the rounds an agent counts as almost idle: py-spy's own stops wake sleeping threads, and a
# thread that only waits was seen "busy" in up to 6 % of the samples.
_ALMOST_IDLE = 0.10
_IN_GEVENT = re.compile(r"\((?:.*/)?gevent/")


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """One profile.

    `started`: ISO 8601 in UTC. `duration_s`: asked for while recording, really sampled when done. `rate_hz`: rounds a
    second. `samples`: stacks counted, all threads together; `missed`: rounds due and not taken. `reason`:
    `on-demand`, `continuous` or `alert:NAME`. `state`: `recording` (waiting for its turn included), `done` or
    `failed`; `progress` 0 to 1. `words`: a sentence for people. `error`: code, message and remedy when failed.
    `partial`: whether the target ended, or the deadline passed, before the end. `native`, `children`: as in `Sampling`.
    """

    id: str
    site: str | None
    instance: str | None
    agent: str
    pid: int
    kind: Kind
    backend: str
    backend_version: str | None
    started: str
    duration_s: float
    rate_hz: int
    requested_by: str
    samples: int = 0
    missed: int = 0
    reason: str = "on-demand"
    native: bool = False
    children: bool = False
    state: str = RECORDING
    words: str = "Waiting for its turn."
    progress: float = 0.0
    partial: bool = False
    error: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The form on HTTP, RPC and disk."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return document


def iso_utc(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def begun(capture: Capture, now: float) -> Capture:
    """The capture as its recording begins."""
    return msgspec.structs.replace(capture, started=iso_utc(now), words="Recording.")


def finished(capture: Capture, recording: Recording) -> Capture:
    """The capture with what was found."""
    partial = recording.ending is not Ending.COMPLETE
    duration = round(recording.seconds, 3)
    found = msgspec.structs.replace(
        capture,
        rate_hz=recording.rate or capture.rate_hz,
        state=DONE,
        progress=1.0,
        samples=recording.samples,
        missed=recording.missed,
        duration_s=duration,
        partial=partial,
    )
    return msgspec.structs.replace(found, words=_words(found, recording, round(capture.duration_s)))


def failed(capture: Capture, error: VoltscopeError) -> Capture:
    """The capture that came to nothing, and why."""
    return msgspec.structs.replace(capture, state=FAILED, words=str(error), error=error.as_dict())


def _words(capture: Capture, recording: Recording, asked_s: int) -> str:
    # py-spy's interval is irregular on purpose: a complete recording has every round, though not every millisecond
    due = asked_s if recording.ending is Ending.COMPLETE else recording.seconds
    rounds = max(1, round(due * capture.rate_hz) - recording.missed)
    greenlets = capture.kind is Kind.GREENLET and capture.samples
    sentences = [_waiting(recording) if greenlets else _busy(capture, recording.stacks, rounds)]
    if recording.ending is Ending.TARGET_ENDED:
        sentences.append(f"The process ended after {recording.seconds:.1f} s: this is what was seen until then.")
    if recording.ending is Ending.DEADLINE:
        sentences.append("The profiler could not keep up and was stopped in time: take a lower rate.")
    if recording.missed:
        sentences.append(f"{recording.missed} {_plural('sample', recording.missed)} missed.")
    return " ".join(sentences)


def _busy(capture: Capture, stacks: Stacks, rounds: int) -> str:
    samples, hub = capture.samples, hub_samples(stacks)
    if samples == 0:
        nothing = {
            Kind.CPU: f"Idle: nothing ran in {rounds} samples. Kind wall shows where it waits.",
            Kind.WALL: f"No Python stack was seen in {rounds} samples.",
            Kind.MEMORY: "No allocation was seen.",
            Kind.GIL: f"Idle: nobody held the GIL in {rounds} samples. Kind wall shows where it waits.",
            Kind.GREENLET: "There is no greenlet.",
        }
        return nothing[capture.kind]
    if capture.kind is Kind.MEMORY:
        name, part = own_shares(stacks)[0]
        return f"{amount(samples_in(stacks), 'bytes')} of memory, most of it by {name}: {part.share:.1%}."
    ranked = [(name, share) for name, share in own_shares(stacks) if not name.startswith("[hub")]
    top = f"{ranked[0][0]}, {ranked[0][1]} of the samples." if ranked else ""
    if capture.kind is Kind.WALL:
        loop = f"gevent's loop was on top in {hub} of them. " if hub else ""
        often = f"Else most often on top: {top}" if top and hub else f"Most often on top: {top}" if top else ""
        return f"{samples} samples, idle threads included: {loop}{often}".rstrip(" :")
    hottest = f" Hottest: {top}" if top else ""
    busy = min(samples, rounds)  # several threads at once give more samples than rounds
    if samples < _ALMOST_IDLE * rounds:
        return f"Almost idle: {samples} of {rounds} samples were busy.{hottest}"
    return f"Busy in {busy} of {rounds} samples ({busy / rounds:.0%}).{hottest}"


def _waiting(recording: Recording) -> str:
    """Where the greenlets' time went, seen through gevent: they all wait in its own functions."""
    totals = Counter[str]()
    for stack, count in recording.stacks.items():
        if stack[0] not in (HUB, HUB_IDLE):  # the loop is nobody's greenlet
            totals[_own_function(stack)] += count
    many = f"{recording.greenlets} greenlet{'s' * (recording.greenlets != 1)}" if recording.greenlets else "Greenlets"
    if not totals:
        return f"{many}, and none but gevent's loop."
    name, most = min(totals.items(), key=lambda item: (-item[1], item[0]))
    return f"{many}; most time in {name}, {share(most, totals.total())}."


def _own_function(stack: tuple[str, ...]) -> str:
    """The innermost function that is not gevent's; the innermost of all where there is none."""
    functions = [parse_frame(frame).function for frame in reversed(stack)]
    return next((one for one in functions if not _IN_GEVENT.search(one)), functions[0])


def _plural(word: str, count: int) -> str:
    return f"{word} was" if count == 1 else f"{word}s were"
