"""A pipeline on a log in a temporary folder, stepped by the test; time is the test's own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from voltscope.logs.identity import Identities
from voltscope.logs.parse import timezone_of
from voltscope.logs.pipeline import Pipeline
from voltscope.logs.redact import Redactor
from voltscope.logs.store import Hit, Store

SAMPLES = Path(__file__).parents[2] / "data" / "logs"


class Rig:
    """`drain` reads all there is and lets the quiet time pass."""

    def __init__(self, folder: Path, first_bytes: int = 1 << 40, zone: str = "UTC") -> None:
        self.folder, self.log, self.now = folder, folder / "volttron.log", 0.0
        self._arguments = (first_bytes, zone)
        self.open()

    def open(self) -> None:
        first_bytes, zone = self._arguments
        self.store = Store.open(self.folder / "store" / "logs.sqlite")
        self.identities = Identities(self.folder, known=self.store.pids())
        self.counts: Counter[tuple[str, str]] = Counter()
        self.pipeline = Pipeline(
            self.log,
            self.store,
            self.identities,
            Redactor(),
            timezone_of(zone),
            "host",
            "instance",
            first_bytes,
            clock=lambda: self.now,
            counts=self.counts,
        )

    def restart(self) -> None:
        self.pipeline.close()
        self.store.close()
        self.open()

    def drain(self, seconds: float = 1.0) -> None:
        until = self.now + seconds
        while self.now < until:
            while self.pipeline.step():
                pass
            self.now += 0.25

    def write(self, *texts: str) -> None:
        with self.log.open("a", encoding="utf-8") as file:
            file.writelines(record(text) + "\n" for text in texts)

    def hits(self) -> list[Hit]:
        return self.store.tail(0, limit=1_000_000)

    def messages(self) -> list[str]:
        return [hit.message for hit in self.hits()]


_count = 0


def record(text: str, level: str = "INFO", second: int | None = None) -> str:
    """A modular record; each of another time, as real ones are."""
    global _count
    _count += 1
    at = _count if second is None else second
    return (
        f"2026-11-21 {at // 3600 % 24:02d}:{at // 60 % 60:02d}:{at % 60:02d},{_count % 1000:03d} "
        f"(PID:77) demo.agent(12) {level}: {text}"
    )
