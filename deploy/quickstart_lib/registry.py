"""Which homes there are on this machine and what was installed for them, so that --purge takes no other's things."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path


def registry_file() -> Path:
    """Root's lies beside the default home, a user's in the user's data folder: outside every home."""
    if os.geteuid() == 0:
        return Path("/var/lib/voltscope-homes.json")
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "voltscope-homes.json"


@dataclass
class Registry:
    """`homes`: paths in use; `packages`: Debian packages the quickstart installed; `user`: one it created, or ""."""

    homes: list[str] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    user: str = ""


@contextmanager
def registry(file: Path | None = None) -> Iterator[Registry]:
    """The registry, locked; what the body changes is written when it ends."""
    path = file or registry_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = Registry(**json.loads(path.read_text())) if path.exists() else Registry()
        try:
            yield known
        finally:
            _write(path, known)


def _write(path: Path, known: Registry) -> None:
    if known == Registry():
        path.unlink(missing_ok=True)
        path.with_suffix(".lock").unlink()
        return
    new = path.with_suffix(".new")
    new.write_text(json.dumps(asdict(known), indent=2) + "\n")
    new.replace(path)
