"""The probe inside the agent as a backend: every greenlet's stack, the waiting ones too, from where it was spawned."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from voltscope.errors import BackendFailed, ProbeAbsent, ProbeFailed, TargetGone
from voltscope.live.probes import REMEDY, Probe, ProbeStream
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.base import Capabilities, Ending, Kind, Need, Recording, Sampling
from voltscope.profiling.backends.naming import clean, frame
from voltscope.profiling.backends.running import find_target, gone_early
from voltscope.profiling.stacks import mark_hub, parse_frame, samples_in
from voltscope.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

# What greenlets wait for does not change a hundred times a second, and each round is the agent's own time.
MAX_RATE = 20
_EVERY_S = 0.25
_LOOK_S = 0.1  # for a cancel
# What a capture may take of a processor, of an agent with up to 100 greenlets and with 1,000 and more: more than a view
# that is open for an hour. A look at one takes 1 µs, and four where the agent works.
_FEW_SHARE, _MANY_SHARE, _LOOK_AT_ONE_S = 0.005, 0.015, 4e-6


class ProbeBackend:
    """Kind greenlet, of agents that have loaded the probe. Raises ProbeAbsent and ProbeFailed, too."""

    name = "probe"

    def __init__(self, processes: ProcessTable | None = None) -> None:
        self._processes = processes or ProcessTable()

    def version(self) -> str | None:
        return __version__

    def available(self) -> bool:
        return True  # there is no program: whether an agent has it is the agent's

    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset({Kind.GREENLET}))

    def needs(self, pid: int | None = None) -> list[Need]:
        if pid is None:
            return []
        try:
            Probe.inside(pid, self._processes.root)
        except ProbeAbsent:
            return [Need("the agent has loaded voltscope's probe", False, REMEDY)]
        except ProbeFailed as error:
            return [Need("the agent's probe answers us", False, str(error))]
        return [Need("the agent has loaded voltscope's probe", True)]

    def record(self, sampling: Sampling, *, cancel: threading.Event, progress: Callable[[float], None]) -> Recording:
        _, alive = find_target(self._processes, sampling.pid)
        probe = Probe.inside(sampling.pid, self._processes.root)
        rate, share = _affordable(sampling.rate, probe.ask("count").get("greenlets"))
        stream = probe.stream(
            "watch", seconds=sampling.seconds, rate=rate, every=_EVERY_S, switches=False, most=1, share=share
        )
        seen = _Seen()
        began = time.monotonic()
        ending = Ending.COMPLETE
        with _stopped_by(cancel, stream):
            try:
                for update in stream:
                    seen.add(update)
                    progress(min(1.0, (time.monotonic() - began) / sampling.seconds))
            except TargetGone:
                ending = Ending.TARGET_ENDED
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise BackendFailed(f"the probe of process {sampling.pid} watches in another form: {error}.") from error
        seconds = min(time.monotonic() - began, float(sampling.seconds))
        if cancel.is_set():
            ending = Ending.CANCELLED
        elif not seen.rounds and not alive():
            raise gone_early(sampling.pid)
        missed = max(0, round(seconds * rate) - seen.rounds)
        stacks = mark_hub(seen.stacks, idle=True)
        return Recording(stacks, samples_in(stacks), missed, seconds, ending, seen.greenlets, rate)


def _affordable(rate: int, greenlets: object) -> tuple[int, float]:
    """How often to look at so many, and what that may take of a processor. The probe would slow down by itself; rounds
    that never were due are not missed.
    """
    rate = min(rate, MAX_RATE)
    if not isinstance(greenlets, int) or greenlets <= 0:
        return rate, _FEW_SHARE
    share = _FEW_SHARE + (_MANY_SHARE - _FEW_SHARE) * min(1.0, max(0.0, (greenlets - 100) / 900))
    return max(1, min(rate, int(share / (_LOOK_AT_ONE_S * greenlets)))), share


class _Seen:
    """What the updates of a watch add up to."""

    def __init__(self) -> None:
        self.stacks: Counter[tuple[str, ...]] = Counter()
        self.rounds = self.greenlets = 0
        self._names: dict[str, str] = {}

    def add(self, update: dict[str, object]) -> None:
        for folded, count in dict(update["folded"]).items():  # type: ignore[call-overload]
            self.stacks[tuple(map(self._name, folded.split(";")))] += int(count)
        self.rounds += int(update["samples"])  # type: ignore[call-overload]
        self.greenlets = max(self.greenlets, int(update["count"]))  # type: ignore[call-overload]

    def _name(self, text: str) -> str:
        """A frame named as the other backends do, so that captures can be compared."""
        name = self._names.get(text)
        if name is None:
            parsed = parse_frame(text)
            name = clean(text) if parsed.file is None else frame(parsed.name, parsed.file, parsed.line)
            self._names[text] = name
        return name


@contextmanager
def _stopped_by(cancel: threading.Event, stream: ProbeStream) -> Iterator[None]:
    """Meanwhile, end the stream as soon as `cancel` is set, also while the agent says nothing."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_S):
            if cancel.is_set():
                stream.stop()
                return

    thread = threading.Thread(target=look, name="probe-cancel", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        stream.stop()
        thread.join()
