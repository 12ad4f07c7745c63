"""Which Python a process runs, and where it has its packages, told from /proc: nothing in the process is asked."""

from __future__ import annotations

import re
from pathlib import Path

_BINARY = re.compile(r"(?:^|/)(?:lib)?python(?P<version>\d\.\d{1,2})(?:[a-z]{0,2}\.so[^/]*|[dmut]*)?$")
_PACKAGES = re.compile(r"(?P<folder>/.*/(?:site|dist)-packages)/")


def python_version(pid: int, proc: Path = Path("/proc")) -> str | None:
    """`3.11`; None when the process runs no Python that can be recognised, or we may not look."""
    for path in _binaries(pid, proc):
        found = _BINARY.search(path)
        if found:
            return found["version"]
    return None


def package_folders(pid: int, proc: Path = Path("/proc")) -> list[Path]:
    """Folders that the process imports packages from: those it has libraries of in memory, and its environment's."""
    found = {Path(match["folder"]): None for path in _mapped(pid, proc) if (match := _PACKAGES.match(path))}
    version = python_version(pid, proc)
    try:
        program = Path((proc / str(pid) / "cmdline").read_bytes().split(b"\0", 1)[0].decode(errors="replace"))
    except (OSError, ValueError):
        program = Path()
    if version and program.is_absolute():
        for folder in (program.parent.parent / "lib" / f"python{version}" / "site-packages",):
            if folder.is_dir():
                found[folder] = None
    return list(found)


def _binaries(pid: int, proc: Path) -> list[str]:
    try:
        program = str((proc / str(pid) / "exe").readlink()).removesuffix(" (deleted)")
    except OSError:
        program = ""
    return [program, *_mapped(pid, proc)]


def _mapped(pid: int, proc: Path) -> list[str]:
    """Paths of the files the process has mapped, each once, in order."""
    try:
        lines = (proc / str(pid) / "maps").read_text(errors="replace").splitlines()
    except OSError:
        return []
    fields = (line.split(maxsplit=5) for line in lines)
    return list(dict.fromkeys(field[5] for field in fields if len(field) == 6 and field[5].startswith("/")))
