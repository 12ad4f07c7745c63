"""How frames and processes are named, whichever program saw them: as py-spy does, so that captures can be compared."""

from __future__ import annotations

import functools
from pathlib import Path

_LONGEST = 400  # characters of a name: symbols of C++ templates run to kilobytes
_IDENTITY = b"AGENT_VIP_IDENTITY="


def frame(name: str, file: str, line: int | str | None = None) -> str:
    """`name (file:line)`, the file as its package has it: `gevent/hub.py`."""
    place = f"{short(file)}:{line}" if line else short(file)
    return f"{clean(name) or '?'} ({place})"


@functools.lru_cache(maxsize=4096)
def short(file: str) -> str:
    """A file's path from where its package begins; the last part alone when it is in none, or not on this machine."""
    path = Path(file.replace("\0", ""))
    parts = [path.name]
    for folder in path.parents:
        try:
            inside = (folder / "__init__.py").is_file()
        except OSError:
            break
        if not inside:
            break
        parts.insert(0, folder.name)
    return clean("/".join(parts)) or "?"


def clean(text: str) -> str:
    """One line that no reader of folded stacks can take apart: anybody may name a function anything."""
    kept = "".join(letter if letter.isprintable() and letter != ";" else "?" for letter in text[:_LONGEST])
    return kept.strip()


def identity_of(pid: int, proc: Path = Path("/proc")) -> str:
    """The identity of an agent's process, from its environment; empty where it has none or may not be looked at."""
    try:
        environment = (proc / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    told = next((entry[len(_IDENTITY) :] for entry in environment if entry.startswith(_IDENTITY)), b"")
    return clean(told.decode(errors="replace"))


def process_root(pid: int, proc: Path = Path("/proc")) -> str:
    """The root of a process's stacks: an agent's identity, else its program's name with the pid.

    Never its command line, which may hold secrets.
    """
    identity = identity_of(pid, proc)
    if identity:
        return identity
    try:
        name = clean((proc / str(pid) / "comm").read_text(errors="replace").strip())
    except OSError:
        name = ""
    return f"{name or 'process'} {pid}"
