"""Which interpreters root's tracer is pointed at: those that nobody but root can have made."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import struct
from pathlib import Path

import pytest
from root_helper import target

from voltscope.errors import ProfilingRefused
from voltscope.probed.identity import Subject
from voltscope.probed.interpreter import interpreter, user_probes
from voltscope.probed.programs import LISTED

_READY = "print('ready', flush=True)\nimport time\nwhile True: time.sleep(1)\n"


def refusal(program: Path) -> str:
    with target(_READY, program=str(program)) as pid, Subject(pid) as subject:
        with pytest.raises(ProfilingRefused) as raised:
            interpreter(subject)
        return raised.value.message


def test_debians_interpreter_has_what_the_programs_want(usdt_python: Path) -> None:
    with target(_READY, program=str(usdt_python)) as pid, Subject(pid) as subject:
        found = interpreter(subject)
        assert found.path == str(usdt_python)
        for each in LISTED.values():
            assert found.has(*each.user_probes)
        assert not found.has("no_such_probe")


def test_an_interpreter_of_a_users_is_not_read(usdt_python: Path, open_folder: Path) -> None:
    copy = open_folder / "python-of-a-user"
    shutil.copy(usdt_python, copy)
    os.chown(copy, 65534, 65534)
    assert "not root's alone" in refusal(copy)
    os.chown(copy, 0, 0)
    copy.chmod(0o775)
    assert "not root's alone" in refusal(copy)
    copy.chmod(0o755)
    # below /tmp, where everybody may put things
    assert "/tmp, with the program" in refusal(copy)  # noqa: S108


def test_a_program_that_was_replaced_is_not_taken_for_the_one_that_runs(
    usdt_python: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voltscope.probed.interpreter._only_roots", lambda _: True)  # its folder is below /tmp
    copy = open_folder / "python-replaced"
    shutil.copy(usdt_python, copy)
    with target(_READY, program=str(copy)) as pid, Subject(pid) as subject:
        assert interpreter(subject).path == str(copy)
        copy.unlink()
        with pytest.raises(ProfilingRefused, match="upgraded"):
            interpreter(subject)
        shutil.copy(usdt_python, copy)
        with pytest.raises(ProfilingRefused, match="upgraded"):
            interpreter(subject)


@pytest.mark.parametrize("cut", [0, 10, 63, 64, 5000])
def test_what_is_no_elf_file_or_a_part_of_one_does_no_harm(usdt_python: Path, cut: int) -> None:
    whole = usdt_python.read_bytes()
    for data in (whole[:cut], whole[:cut] + b"\xff" * 1000, b"#!/bin/sh\n" * 100):
        with contextlib.suppress(ValueError, struct.error):
            assert list(user_probes(io.BytesIO(data))) == []
