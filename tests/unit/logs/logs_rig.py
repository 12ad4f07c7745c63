"""A pipeline on a log in a temporary folder, stepped by the test; time is the test's own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from voltscope.logs.identity import Identities
from voltscope.logs.moments import timezone_of
from voltscope.logs.parse import format_of
from voltscope.logs.pipeline import Pipeline
from voltscope.logs.record import Hit, Origin, Record
from voltscope.logs.redact import Redactor
from voltscope.logs.settings import Policing
from voltscope.logs.spool import Spool

SAMPLES = Path(__file__).parents[2] / "data" / "logs"
NO_POLICE = Policing(debug_records_per_second=0, collapse_after=0)


class Rig:
    """`drain` reads all there is and lets the quiet time pass. `options`: of the pipeline."""

    def __init__(
        self,
        folder: Path,
        first_bytes: int = 1 << 40,
        zone: str = "UTC",
        policing: Policing = NO_POLICE,
        form: tuple[str, str] = ("", ""),
        instance: str = "instance",
        **options: Any,
    ) -> None:
        self.folder, self.log, self.now = folder, folder / "volttron.log", 0.0
        self._arguments, self._options = (first_bytes, zone, policing, form, instance), options
        self.open()

    def open(self) -> None:
        first_bytes, zone, policing, form, instance = self._arguments
        self.spool = Spool.open(self.folder / "spool")
        self.identities = Identities(self.folder, known=self.spool.pids())
        self.counts: Counter[tuple[str, str]] = Counter()
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.scrape_errors: Counter[str] = Counter()
        self.pipeline = Pipeline(
            self.log,
            self.spool,
            self.identities,
            Redactor(),
            timezone_of(zone),
            "host",
            Origin("site", instance, "host"),
            first_bytes,
            format_of(*form),
            policing,
            clock=lambda: self.now,
            counts=self.counts,
            dropped=self.dropped,
            scrape_errors=self.scrape_errors,
            **self._options,
        )

    def restart(self) -> None:
        self.pipeline.close()
        self.spool.close()
        self.open()

    def kill(self) -> None:
        """What kill -9 leaves behind: nothing is committed any more."""
        self.pipeline.abandon()
        self.spool.close()
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

    def append(self, *lines: str) -> None:
        """Lines as they are."""
        with self.log.open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)

    def hits(self) -> list[Hit]:
        found: list[Hit] = []
        after = 0
        while batch := self.spool.read(after, 1_000_000):
            found += [Hit(batch, index) for index in range(len(batch.records))]
            after = batch.last
        return found

    def records(self) -> list[Record]:
        found: list[Record] = []
        after = 0
        while batch := self.spool.read(after, 1_000_000):
            found += batch.records
            after = batch.last
        return found

    def messages(self) -> list[str]:
        return [hit.message for hit in self.hits()]


_count = 0


def record(text: str, level: str = "INFO", second: int | None = None, logger: str = "demo.agent") -> str:
    """A modular record; each of another time, as real ones are."""
    global _count
    _count += 1
    at = _count if second is None else second
    return (
        f"2026-11-21 {at // 3600 % 24:02d}:{at // 60 % 60:02d}:{at % 60:02d},{_count % 1000:03d} "
        f"(PID:77) {logger}(12) {level}: {text}"
    )


def stderr(pid: int, text: str, at: str = "2026-11-21 03:00:00,000") -> str:
    """A line as the platform logs what an agent printed on its stderr."""
    return f"{at} (PID:{pid}) <stderr>(0) ERROR: {text}"


def covered(records: list[Record]) -> int:
    """The bytes that are in records of one generation, none of them in two."""
    assert len({one.offset for one in records}) == len(records)
    return sum(one.size for one in records)
