"""Files the command line writes: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click


def refuse_unwritable(path: Path) -> None:
    """Say before the work starts that its result cannot be written. Raises click.UsageError."""
    folder = path.parent
    if not folder.is_dir():
        raise click.UsageError(f"cannot write {path}: there is no folder {folder}")
    if path.is_dir():
        raise click.UsageError(f"cannot write {path}: it is a folder")
    if not os.access(folder, os.W_OK):
        raise click.UsageError(f"cannot write {path}: no permission in {folder}")


def write_atomically(path: Path, content: bytes, mode: int) -> None:
    """Put `content` at `path` with the permissions `mode`: readers see the old file or all of the new one.

    Raises click.UsageError naming the path when it cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise click.UsageError(f"cannot write {path}: {error.strerror}") from error


def ordinary_mode() -> int:
    """0666 less the umask, as any program's new file."""
    umask = os.umask(0o022)
    os.umask(umask)
    return 0o666 & ~umask
