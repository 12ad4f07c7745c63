"""How many of a program's greenlets are shown, each by name and where it waits: by us, and by the peers."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from metrics_lib.figures import figure

from live_lib.place import Place
from live_lib.profiler import session
from live_lib.targets import Target, target
from voltscope.profiling.backends.base import Kind, Sampling
from voltscope.profiling.backends.memray import Memray
from voltscope.profiling.backends.running import find_program

NUMBERS = (10, 100, 1000)
_PEER_S = 120.0
_WORD = re.compile(r"\w+")


def measure(place: Place, quick: bool) -> Iterator[dict[str, Any]]:
    """Ours and the peers', for each number of greenlets."""
    for number in NUMBERS[:1] if quick else NUMBERS:
        with place.profiler() as site, target(place.probed, "agent", place.home, number, 0, "busy") as agent:
            truth = Truth(agent)
            with session(site, "greenlets") as live:
                document = next(live.documents())[1]
            shown = truth.in_document(document)
            of = f"of the {truth.count} greenlets of a busy gevent program, {number} of them parked, those told by"
            source = f"{live.told['source']}, each by its name and the line where it waits"
            yield figure(f"greenlets_shown_ratio_{number}", shown / truth.count, "ratio", "1.0", f"{of} {source}")
            for name, peer in PEERS.items():
                title = f"greenlets_shown_ratio_{number}_{name.replace('-', '_')}"
                if find_program(name) is None or (quick and name == "memray"):
                    why = "takes longer" if find_program(name) else f"{name} is not installed"
                    yield figure(title, None, "ratio", "(a peer)", name, why)
                    continue
                lines = list(peer(agent.pid, place.folder))
                shown, parked = truth.in_stacks(lines), truth.parked_in_stacks(lines)
                said = (
                    f"{of} {name}, each by its own function: {shown}, of them {parked} parked, in {len(lines)} stacks"
                )
                yield figure(title, shown / truth.count, "ratio", "(a peer)", said)


class Truth:
    """What the program says of itself."""

    def __init__(self, agent: Target) -> None:
        told = json.loads((agent.folder / "truth.json").read_text())
        self._parked: dict[str, list[Any]] = told["parked"]
        self._others: list[str] = told["others"]
        self.count = len(self._parked) + len(self._others)

    def in_document(self, document: dict[str, Any]) -> int:
        """Those that an update of the greenlets' view tells by name, and the parked ones by where they wait as well."""
        told = {one["name"]: one for one in document["greenlets"]}
        right = sum(name in told for name in self._others)
        for name, (function, line) in self._parked.items():
            places = told[name]["stack"] if name in told else ()
            right += any(at["function"] == function and at["line"] == line for at in places)
        return right

    def parked_in_stacks(self, lines: Iterable[str]) -> int:
        """Those parked whose own function, and the one it waits in, stand in the same stack."""
        found = set()
        for line in lines:
            words = set(_WORD.findall(line))
            found |= {name for name in words & self._parked.keys() if self._parked[name][0] in words}
        return len(found)

    def in_stacks(self, lines: Iterable[str]) -> int:
        """All those whose own function stands in some stack."""
        lines = list(lines)
        words = {word for line in lines for word in _WORD.findall(line)}
        return self.parked_in_stacks(lines) + len(words & set(self._others))


def _py_spy(pid: int, folder: Path) -> Iterator[str]:
    """Two seconds of samples, idle threads too, and a dump."""
    program, output = str(find_program("py-spy")), folder / "py-spy"
    _run([program, "record", "-i", "-p", str(pid), "-d", "2", "-r", "100", "-f", "raw", "-o", str(output)])
    yield from output.read_text().splitlines()
    yield " ".join(_run([program, "dump", "--pid", str(pid)]).splitlines())


def _austin(pid: int, folder: Path) -> Iterator[str]:
    """Two seconds of samples by the clock, so that those who wait are in them."""
    output = folder / "austin"
    _run([str(find_program("austin")), "-p", str(pid), "-i", "10ms", "-x", "2", "-o", str(output)])
    yield from (line for line in output.read_text(errors="replace").splitlines() if line.startswith("P"))


def _memray(pid: int, folder: Path) -> Iterator[str]:
    """Whoever allocated in two seconds."""
    sampling = Sampling(pid, 2, 100, Kind.MEMORY)
    recording = Memray().record(sampling, cancel=threading.Event(), progress=lambda share: None)
    yield from (" ".join(stack) for stack in recording.stacks)


def _run(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=_PEER_S).stdout


PEERS: dict[str, Callable[[int, Path], Iterator[str]]] = {"py-spy": _py_spy, "austin": _austin, "memray": _memray}
