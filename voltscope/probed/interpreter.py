"""The interpreter a process runs, when root may let a tracer read it: its file, and its USDT probes."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from voltscope.errors import ProfilingRefused, TargetGone
from voltscope.probed.identity import Subject

_NOTE_SECTION = b".note.stapsdt"
_STAPSDT = 3  # NT_STAPSDT of SystemTap's <sys/sdt.h>
_MOST_NOTES_BYTES = 1 << 20
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")  # Elf64_Ehdr
_SECTION = struct.Struct("<IIQQQQIIQQ")  # Elf64_Shdr
_NOTE = struct.Struct("<III")
_PLACES = struct.Struct("<QQQ")
_REMEDY = "The system's own interpreter (/usr/bin/python3 of Debian) can be watched so; see docs/probed.md."


@dataclass(frozen=True)
class UserProbe:
    """A USDT probe. `location`: the address of its instruction, `semaphore`: of its counter, 0 for none; as linked."""

    provider: str
    name: str
    location: int
    semaphore: int


@dataclass(frozen=True)
class Interpreter:
    """A program that a tracer may be pointed at: `path` cannot be made another file's by anybody but root."""

    path: str
    probes: tuple[UserProbe, ...]

    def has(self, *names: str) -> bool:
        """Whether it has all of these probes of the provider `python`."""
        return set(names) <= {probe.name for probe in self.probes if probe.provider == "python"}


def interpreter(subject: Subject) -> Interpreter:
    """The interpreter `subject` runs.

    A tracer that runs as root parses this file. It is therefore root's own, by a path of which every folder is, too:
    no user can hand the parser a file of their making, or another file after it was looked at. Raises
    ProfilingRefused saying what is wrong with it, TargetGone.
    """
    with _opened(subject) as (file, path):
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ProfilingRefused(f"the program of process {subject.pid} is no regular file.", _REMEDY)
        if not _only_roots(found):
            raise ProfilingRefused(
                f"the program of process {subject.pid} is not root's alone (user {found.st_uid}): root's tracer does "
                "not read it.",
                _REMEDY,
            )
        _must_be_named_so(path, found, subject.pid)
        try:
            probes = tuple(user_probes(file))
        except (ValueError, struct.error) as error:
            raise ProfilingRefused(f"the program of process {subject.pid} cannot be read: {error}.", _REMEDY) from error
    return Interpreter(path, probes)


@contextmanager
def _opened(subject: Subject) -> Iterator[tuple[BinaryIO, str]]:
    try:
        # through the kernel's own link: the file that is mapped, whatever has its name by now
        descriptor = os.open("exe", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=subject.folder)
    except OSError as error:
        raise TargetGone(f"there is no process {subject.pid}, or it runs no program.") from error
    with os.fdopen(descriptor, "rb") as file:
        yield file, os.readlink("exe", dir_fd=subject.folder)


def _must_be_named_so(path: str, found: os.stat_result, pid: int) -> None:
    for folder in Path(path).parents:
        try:
            if not _only_roots(folder.lstat()):
                raise ProfilingRefused(
                    f"{folder}, with the program of process {pid} in it, is not root's alone.", _REMEDY
                )
        except OSError as error:
            raise ProfilingRefused(f"the program of process {pid} is not to be found at {path}.", _REMEDY) from error
    try:
        named = os.lstat(path)
    except OSError as error:
        raise ProfilingRefused(
            f"the program of process {pid} is not at {path} any more: it was upgraded, or lives in a container.",
            "After an upgrade restart the agent.",
        ) from error
    if (named.st_dev, named.st_ino) != (found.st_dev, found.st_ino):
        raise ProfilingRefused(
            f"the program of process {pid} is not the one at {path}: it was upgraded, or lives in a container.",
            "After an upgrade restart the agent.",
        )


def _only_roots(found: os.stat_result) -> bool:
    return found.st_uid == 0 and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def user_probes(file: BinaryIO) -> Iterator[UserProbe]:
    """The USDT probes in a 64-bit little-endian ELF file (elf(5), <sys/sdt.h>); none where it has none.

    Raises ValueError and struct.error on what is no such file.
    """
    ident, *_, sections_at, _, _, _, _, entry, count, names_index = _HEADER.unpack(_at(file, 0, _HEADER.size))
    if ident[:6] != b"\x7fELF\x02\x01" or entry != _SECTION.size:
        raise ValueError("no 64-bit little-endian ELF file")
    table = _at(file, sections_at, entry * count)
    sections = [_SECTION.unpack_from(table, entry * index) for index in range(count)]
    if names_index >= count:
        return
    names = _at(file, sections[names_index][4], min(sections[names_index][5], _MOST_NOTES_BYTES))
    for name, _, _, _, offset, size, *_ in sections:
        if names[name : names.find(b"\0", name)] == _NOTE_SECTION:
            yield from _notes(_at(file, offset, min(size, _MOST_NOTES_BYTES)))


def _notes(data: bytes) -> Iterator[UserProbe]:
    at = 0
    while at + _NOTE.size <= len(data):
        name_size, size, kind = _NOTE.unpack_from(data, at)
        begin = at + _NOTE.size + _padded(name_size)
        body, at = data[begin : begin + size], begin + _padded(size)
        if kind == _STAPSDT and len(body) > _PLACES.size:
            location, _, semaphore = _PLACES.unpack_from(body)
            provider, name, *_ = (part.decode(errors="replace") for part in body[_PLACES.size :].split(b"\0"))
            yield UserProbe(provider, name, location, semaphore)


def _padded(size: int) -> int:
    return (size + 3) & ~3


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    if offset >= 1 << 63:
        raise ValueError(f"it names an offset of {offset}")
    file.seek(offset)
    return file.read(size)
