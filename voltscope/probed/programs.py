"""The closed list: every program the helper ever runs, what it costs, and what is filled into it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from voltscope.errors import BadRequest, ProfilingRefused
from voltscope.live.bpftrace import Program
from voltscope.live.programs import ENVIRONMENT, FILES, FLOW, FLOW_ENVIRONMENT, GC, LATENCY, SYSCALLS, text_of
from voltscope.probed.identity import Subject
from voltscope.probed.interpreter import Interpreter, interpreter
from voltscope.probed.privileges import COUNTING, TYPES, USER_PROBES, missing
from voltscope.probed.protocol import MOST_SECONDS, Run

# Events of a flow: 300,000 are 20 s of an interpreter that does nothing but call.
_MOST_EVENTS = 300_000


@dataclass(frozen=True)
class Listed:
    """One program. `slowdown`: how many times longer the target takes for the same work.

    `privileges`: the capabilities its tracer needs. `user_probes`: the USDT probes its interpreter must have, if any.
    `events`: it is given the most events it may tell, in place of the pace at which it tells what it counts.
    `environment`: what bpftrace is told besides.
    """

    name: str
    words: str
    slowdown: float
    privileges: tuple[str, ...]
    most_seconds: float = MOST_SECONDS
    user_probes: tuple[str, ...] = ()
    events: int | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: ENVIRONMENT)

    def filled(self, subject: Subject, asked: Run) -> Program:
        """What to run on `subject`: checked integers and the interpreter's path are all that is put into the text.

        Raises BadRequest, HelperUnfit, ProfilingRefused and TargetGone.
        """
        unfit = missing(self.privileges)
        if unfit is not None:
            raise unfit
        if asked.seconds > self.most_seconds:
            most = f"{self.most_seconds:.0f} s at most"
            raise BadRequest(f"the helper runs {self.name} for {most}, and was asked for {asked.seconds:g}.")
        until = str(math.ceil(asked.seconds))
        pace = self.events if self.events is not None else round(asked.every * 1000)
        text = text_of(self.name)
        if not self.user_probes:
            return Program(text, (str(subject.pid), until, str(pace)), environment=self.environment)
        path = self.interpreter(subject).path
        return Program(text, (path, until, str(pace)), pid=subject.pid, environment=self.environment)

    def unavailable(self, subject: Subject | None) -> str | None:
        """Why it cannot be had, here or for `subject`; None when it can. Raises TargetGone."""
        unfit = missing(self.privileges)
        if unfit is not None:
            return str(unfit)
        if subject is not None and self.user_probes:
            try:
                self.interpreter(subject)
            except ProfilingRefused as error:
                return str(error)
        return None

    def interpreter(self, subject: Subject) -> Interpreter:
        """Its interpreter, when it has the probes. Raises ProfilingRefused and TargetGone."""
        found = interpreter(subject)
        if not found.has(*self.user_probes):
            raise ProfilingRefused(
                f"the interpreter of process {subject.pid}, {found.path}, is built without the probes for {self.name}.",
                "Debian's /usr/bin/python3 has them; interpreters built elsewhere seldom do.",
            )
        return found


LISTED = {
    each.name: each
    for each in (
        # the two as live/prices.py has them: a program that makes 40,000 system calls a second
        Listed(SYSCALLS, "The kernel counts: half a microsecond a call.", 1.03, COUNTING),
        Listed(LATENCY, "The kernel counts and looks at the clock twice: a microsecond a call.", 1.07, COUNTING),
        Listed(
            FLOW,
            "The kernel stops the target at every line and return: up to 300 times slower while it computes.",
            300.0,
            USER_PROBES,
            most_seconds=60.0,
            user_probes=("function__entry", "function__return", "line"),
            events=_MOST_EVENTS,
            environment=FLOW_ENVIRONMENT,
        ),
        Listed(
            GC,
            "Nothing that could be measured: it is stopped twice a collection.",
            1.0,
            USER_PROBES,
            user_probes=("gc__start", "gc__done"),
        ),
        Listed(FILES, "Nothing that could be measured: the kernel counts.", 1.0, TYPES),
    )
}


def offered(only: Collection[str]) -> dict[str, Listed]:
    """Those of `only`, or all when that is empty."""
    return {name: each for name, each in LISTED.items() if not only or name in only}
