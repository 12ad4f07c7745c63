"""The log under a shipper that is killed all the time: unique payloads in every form, and every kind of rotation."""

from __future__ import annotations

import gzip
import os
import random
import shutil
from datetime import datetime, timedelta
from pathlib import Path

_BEGIN = datetime(2026, 11, 21, 4)


class Workload:
    """Writes the log at `path`; `payloads` has what was written, each of them once."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.payloads: list[str] = []
        self._chance = random.Random(seed)
        self._rotated = self._lines = 0

    def write(self) -> None:
        """Append a few records, and now and then rotate the file before, or between."""
        kind = self._chance.random()
        if kind < 0.06:
            self._rename()
        elif kind < 0.12:
            self._copy_and_truncate()
        elif kind < 0.15:
            self._pack()
        with self.path.open("a", encoding="utf-8") as log:
            for _ in range(self._chance.randint(1, 6)):
                log.write(self._record())

    def _payload(self) -> str:
        payload = f"payload-{len(self.payloads):08d}"
        self.payloads.append(payload)
        return payload

    def _stamp(self) -> str:
        self._lines += 1
        at = _BEGIN + timedelta(milliseconds=7 * self._lines)
        return f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d}"

    def _record(self) -> str:
        kind, agent = self._chance.random(), f"(PID:{4000 + self._chance.randint(0, 3)})"
        if kind < 0.6:
            return f"{self._stamp()} {agent} listener.agent(94) INFO: {self._payload()} arrived\n"
        if kind < 0.7:
            more = "\n".join("  continued" for _ in range(self._chance.randint(1, 5)))
            return f"{self._stamp()} volttron.server.aip(1332) WARNING: {self._payload()}\n{more}\n"
        if kind < 0.8:
            return f"{self._stamp()} {agent} <stdout>(0) INFO: ['{self._payload()} printed']\n"
        if kind < 0.9:
            return self._traceback(agent)
        return f"{self._stamp()} {agent} drivers.Zürich(12) ERROR: {self._payload()} secretkey='{'k' * 43}'\n"

    def _traceback(self, agent: str) -> str:
        """Printed on stderr: the platform makes a record of each line; others may write between them."""
        lines = ["Traceback (most recent call last):", '  File "a.py", line 1, in f', "    g()"]
        lines.append(f"ValueError: {self._payload()}")
        made = ""
        for number, line in enumerate(lines):
            made += f"{self._stamp()} {agent} <stderr>(0) ERROR: {line}\n"
            if number == 1 and self._chance.random() < 0.5:
                made += f"{self._stamp()} (PID:4999) listener.agent(94) INFO: {self._payload()} between\n"
        return made

    # Rotation

    def _next_name(self) -> Path:
        self._rotated += 1
        return self.path.with_name(f"{self.path.name}.{self._rotated}")

    def _rename(self) -> None:
        if self.path.exists():
            self.path.rename(self._next_name())

    def _copy_and_truncate(self) -> None:
        if self.path.exists():
            shutil.copy(self.path, self._next_name())
            os.truncate(self.path, 0)

    def _pack(self) -> None:
        if not self.path.exists():
            return
        target = self._next_name()
        packed = target.with_name(f"{target.name}.gz")
        with self.path.open("rb") as source, gzip.open(packed, "wb") as sink:
            shutil.copyfileobj(source, sink)
        self.path.unlink()

    def forget_old(self, keep: int) -> None:
        """Delete rotated files but the newest `keep`: call it when all of them were read."""
        rotated = sorted(self.path.parent.glob(f"{self.path.name}.*"), key=lambda path: path.stat().st_mtime_ns)
        for path in rotated[:-keep]:
            path.unlink()
