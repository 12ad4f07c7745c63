"""The spool with one sync, one rewrite or one checksum taken out: each must be seen to lose or double something."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from powercut_lib.disk import Disk
from powercut_lib.drive import Tally, explore
from voltscope.logs.spool import cursors, format


@dataclass(frozen=True)
class Mutant:
    """`name` says what is taken out; `disk` is the file system that does so, `patched` what else is."""

    name: str
    disk: Callable[[], Disk] = Disk
    patched: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext


def mutants(sites: set[str]) -> list[Mutant]:
    """One for every sync the code makes (`sites`), one for each rewrite before one, one for each checksum."""
    made = [Mutant(site, _without(site)) for site in sorted(sites)]
    made += [Mutant(site, _without(site)) for site in ("pwrite in recovery._rewrite", "pwrite in cursors.load")]
    made.append(Mutant("checksum of frames", patched=lambda: _unchecked(format)))
    made.append(Mutant("checksum of cursors", patched=lambda: _unchecked(cursors)))
    return made


def sites_of(seeds: range, payloads: int) -> set[str]:
    """Where the spool syncs, seen by running it."""
    found: set[str] = set()

    class Watching(Disk):
        def fsync(self, file: int) -> None:
            found.add(_site("fsync", sys._getframe(1)))
            super().fsync(file)

        def fsync_dir(self, path: Path) -> None:
            found.add(_site("fsync_dir", sys._getframe(1)))
            super().fsync_dir(path)

    for seed in seeds:
        explore(seed, payloads, 1, Tally(), Watching)
    return found


def caught(mutant: Mutant, seeds: range, payloads: int, each: int) -> Tally:
    """What the harness says of it; it stops at the first fault."""
    tally = Tally()
    with mutant.patched():
        for seed in seeds:
            explore(seed, payloads, each, tally, mutant.disk, lambda: bool(tally.first))
            if tally.first:
                break
    return tally


def _without(site: str) -> Callable[[], Disk]:
    class Skipping(Disk):
        def fsync(self, file: int) -> None:
            if _site("fsync", sys._getframe(1)) != site:
                super().fsync(file)

        def fsync_dir(self, path: Path) -> None:
            if _site("fsync_dir", sys._getframe(1)) != site:
                super().fsync_dir(path)

        def pwrite(self, file: int, data: bytes | memoryview, offset: int) -> int:
            if _site("pwrite", sys._getframe(2)) == site:
                return len(data)
            return super().pwrite(file, data, offset)

    return Skipping


def _site(operation: str, frame: FrameType) -> str:
    """Names the place in the code: `fsync in spool._write`."""
    return f"{operation} in {Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}"


@contextlib.contextmanager
def _unchecked(module: object) -> Iterator[None]:
    """Every checksum the module makes or checks is 0."""
    real = module.checksum  # type: ignore[attr-defined]
    module.checksum = lambda *parts: 0  # type: ignore[attr-defined]
    try:
        yield
    finally:
        module.checksum = real  # type: ignore[attr-defined]
