"""Writing, rotations of every kind, kills and stops in any order: each payload comes out exactly once."""

from __future__ import annotations

import gzip
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from logs_rig import Rig, record, stderr

from voltscope.logs.spool import Spool

TRACEBACK = ["Traceback (most recent call last):", '  File "x.py", line 3, in f', "    g()", "ValueError: {}"]


class Chaos:
    """A log that is written, rotated and read, by chance."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.rig = Rig(folder, chunk=self.chance.choice([100, 700, 5000]))
        self.payloads: list[str] = []
        self.tracebacks: dict[int, list[str]] = {}
        self.rotations = 0

    def write(self) -> None:
        for _ in range(self.chance.randrange(1, 20)):
            payload = f"payload {len(self.payloads)}"
            fresh = not self.rig.log.exists() or not self.rig.log.stat().st_size
            kind = 0.0 if fresh else self.chance.random()  # a generation is told by its first line
            if kind < 0.6:
                self.payloads.append(payload)
                self.rig.append(record(payload, second=10800))
            elif kind < 0.7:
                self.payloads.append(f"{payload}\n  and\n  more")
                self.rig.append(record(self.payloads[-1], second=10800))
            else:
                pid = self.chance.randrange(900, 903)
                rest = self.tracebacks.setdefault(pid, [])
                if not rest:
                    self.payloads.append("\n".join(TRACEBACK).format(payload))
                    rest += self.payloads[-1].split("\n")
                self.rig.append(stderr(pid, rest.pop(0)))

    def finish(self) -> None:
        """No traceback is left half written: a rotation would make two of it, rightly."""
        for pid, rest in self.tracebacks.items():
            while rest:
                self.rig.append(stderr(pid, rest.pop(0)))

    def read(self) -> None:
        for _ in range(self.chance.randrange(1, 8)):
            self.rig.pipeline.step()
        if self.chance.random() < 0.3:
            self.rig.pipeline.commit()
        if not any(self.tracebacks.values()):
            self.rig.now += 0.1  # a pause in the middle of a traceback ends it

    def rename(self) -> None:
        if self.rig.log.exists() and self.rig.log.stat().st_size:
            self.finish()
            self.shift()
            self.rig.log.rename(f"{self.rig.log}.1")

    def copy_and_truncate(self) -> None:
        if self.rig.log.exists() and self.rig.log.stat().st_size:
            self.finish()
            self.shift()
            shutil.copy2(self.rig.log, f"{self.rig.log}.1")
            self.rig.log.write_bytes(b"")

    def shift(self) -> None:
        """Rotated files move on, and the second is compressed."""
        log = self.rig.log
        for number in range(self.rotations, 0, -1):
            for suffix in ("", ".gz"):
                old = Path(f"{log}.{number}{suffix}")
                if old.exists():
                    old.rename(f"{log}.{number + 1}{suffix}")
        second = Path(f"{log}.2")
        if second.exists():
            with gzip.open(f"{second}.gz", "wb") as packed:
                packed.write(second.read_bytes())
            shutil.copystat(second, f"{second}.gz")
            second.unlink()
        self.rotations += 1

    def stop(self) -> None:
        self.rig.restart()

    def kill(self) -> None:
        self.rig.kill()

    def kill_in_append(self) -> None:
        """Before the frame is there, or after."""
        append, after = Spool.append, self.chance.random() < 0.5

        def dying(spool: Spool, *arguments: Any) -> Any:
            if after:
                append(spool, *arguments)
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Spool, "append", dying)
            try:
                self.read()
            except KeyboardInterrupt:
                self.rig.kill()


@pytest.mark.parametrize("seed", range(40))
def test_each_payload_comes_out_exactly_once(seed: int, tmp_path: Path) -> None:
    chaos = Chaos(tmp_path, seed)
    actions: list[Callable[[], None]] = [chaos.write] * 6 + [chaos.read] * 5
    actions += [chaos.rename, chaos.copy_and_truncate, chaos.stop, chaos.kill, chaos.kill_in_append]
    chaos.write()
    chaos.finish()
    chaos.rig.drain()  # at first sight only the log itself is read, not what was rotated before
    for _ in range(60):
        chaos.chance.choice(actions)()
    chaos.finish()
    chaos.rig.drain(2)
    chaos.rig.drain(2 * chaos.rotations)
    found = Counter(one.text for one in chaos.rig.records())
    assert found == Counter(chaos.payloads)
    assert chaos.rig.pipeline.missed == 0
    ids = [hit.event_id for hit in chaos.rig.hits()]
    assert len(set(ids)) == len(ids)
