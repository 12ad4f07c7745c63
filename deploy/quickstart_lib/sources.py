"""The copy of the sources below the home: the clone may be unreadable for the platform's user, or vanish."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from .account import Account
from .failure import StepFailed
from .state import Home

ROOT = Path(__file__).resolve().parents[2]

# Where there is no git to ask, these are left behind; they are made anew wherever they are needed.
_LEFT_BEHIND = {".git", "__pycache__", ".cache", ".venv", "build", "dist", "node_modules"}
_LEFT_BEHIND_SUFFIXES = (".egg-info", "_cache", ".pyc")


def source_files(root: Path = ROOT) -> list[Path]:
    """The files that make up voltscope, relative to `root`: what git knows or would add, else all but caches."""
    command = ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z", "--cached", "--others"]
    try:
        listed = subprocess.run([*command, "--exclude-standard"], capture_output=True, check=True).stdout
        names = [Path(os.fsdecode(name)) for name in listed.split(b"\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = []
    if not names:
        names = [path.relative_to(root) for path in root.rglob("*") if not _left_behind(path.relative_to(root))]
    return sorted({name for name in names if (root / name).is_file() and not (root / name).is_symlink()})


def fingerprint(files: list[Path], root: Path = ROOT) -> str:
    """A digest of names and contents: another one means the clone has changed."""
    digest = hashlib.sha256()
    for name in files:
        content = (root / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def copy_sources(home: Home, account: Account, files: list[Path], root: Path = ROOT) -> None:
    """Puts `files` into the home's `source`, in place of what was there, owned by `account`. Raises StepFailed."""
    new, old = home.path / "source.new", home.path / "source.old"
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    place(files, new, root)
    for folder, folders, names in os.walk(new):
        Path(folder).chmod(0o755)
        for path in [Path(folder, name) for name in folders + names]:
            account.own(path)
    account.own(new)
    if home.source.exists():
        home.source.rename(old)
    new.rename(home.source)
    shutil.rmtree(old, ignore_errors=True)


def place(files: list[Path], folder: Path, root: Path = ROOT) -> None:
    """Copies `files` into the new `folder`, owned by the caller. Raises StepFailed."""
    try:
        folder.mkdir(mode=0o755)
        for name in files:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, target)
            target.chmod(0o755 if os.access(root / name, os.X_OK) and (root / name).stat().st_mode & 0o100 else 0o644)
    except OSError as error:
        raise StepFailed(f"cannot copy the sources to {folder}: {error}.", "Is the disk full?") from error


def _left_behind(name: Path) -> bool:
    return any(part in _LEFT_BEHIND or part.endswith(_LEFT_BEHIND_SUFFIXES) for part in name.parts)
