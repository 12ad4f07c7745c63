"""Receivers on the host itself: a file that others rotate, and standard output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batches import batch, numbered
from servers.missing import without

from voltscope.errors import ReceiverError
from voltscope.logs.record import Batch, document
from voltscope.logs.settings import FileReceiver, StdoutReceiver
from voltscope.logs.transports.file import FileTransport
from voltscope.logs.transports.stdout import StdoutTransport


@pytest.fixture
def to(tmp_path: Path) -> Iterator[FileTransport]:
    made = FileTransport(FileReceiver(path=str(tmp_path / "out.json")))
    yield made
    made.close()


def documents(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def sequences(*paths: Path) -> list[int]:
    return [each["event"]["sequence"] for path in paths for each in documents(path)]


def test_documents_are_appended_and_for_the_owner_alone(to: FileTransport, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    sent = batch("one\nline", "Traceback (most recent call last):\nValueError: bad")
    to.send(sent)
    assert documents(path) == [document(sent, 0), document(sent, 1)]
    assert path.stat().st_mode & 0o777 == 0o600
    to.close()
    to.send(numbered(3, 1000))
    assert sequences(path) == list(range(1, 1003))


def test_it_is_on_disk_before_it_counts_as_sent(tmp_path: Path) -> None:
    strace = subprocess.run(["which", "strace"], capture_output=True).returncode == 0
    if not strace:
        without("missing: apt-get install strace")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from batches import numbered\n"
        "from voltscope.logs.settings import FileReceiver\n"
        "from voltscope.logs.transports.file import FileTransport\n"
        "transport = FileTransport(FileReceiver(path=sys.argv[2]))\n"
        "transport.send(numbered(1, 600)); print('sent', flush=True)\n"
    )
    calls = tmp_path / "calls"
    command = ["strace", "-y", "-o", str(calls), "-e", "trace=write,fsync", sys.executable, "-c", program]
    subprocess.run([*command, str(Path(__file__).parent), str(tmp_path / "out.json")], check=True, capture_output=True)
    lines = calls.read_text().splitlines()
    ours = [line.split("(")[0] for line in lines if "out.json" in line or f"<{tmp_path}>" in line or '"sent' in line]
    # the folder has the name, all is written, the disk has it, and only then send returns
    assert ours == ["fsync", "write", "write", "write", "fsync", "write"]


def test_rotation_by_rename_goes_on_in_a_new_file(to: FileTransport, tmp_path: Path) -> None:
    path, old = tmp_path / "out.json", tmp_path / "out.json.1"
    to.send(numbered(1, 10))
    path.rename(old)
    to.send(numbered(11, 10))
    path.unlink()
    to.send(numbered(21, 10))
    assert sequences(old, path) == [*range(1, 11), *range(21, 31)]


def test_rotation_by_copy_and_truncate_leaves_no_hole(to: FileTransport, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    to.send(numbered(1, 10))
    os.truncate(path, 0)
    to.send(numbered(11, 10))
    assert b"\0" not in path.read_bytes()
    assert sequences(path) == list(range(11, 21))


def test_a_line_that_a_crash_tore_is_ended_and_comes_again_whole(to: FileTransport, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    to.send(numbered(1, 2))
    to.close()
    os.truncate(path, path.stat().st_size - 30)
    to.send(numbered(2, 2))
    lines = path.read_bytes().splitlines()
    assert len(lines) == 4
    assert [json.loads(lines[index])["event"]["sequence"] for index in (0, 2, 3)] == [1, 2, 3]


@pytest.mark.parametrize("name", ["no/such/folder/out.json", ".", "pipe", "nul\0"])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    transport = FileTransport(FileReceiver(path=f"{tmp_path}/{name}"))
    with pytest.raises(ReceiverError, match="does not take log records"):
        transport.send(numbered(1, 1))
    transport.close()


def test_a_full_disk_is_told_of_and_nothing_is_torn_for_good(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(full)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs root, to make a small file system")
    try:
        transport = FileTransport(FileReceiver(path=str(full / "out.json")))
        filler = full / "filler"
        filler.write_bytes(b"x" * 40_000)
        with pytest.raises(ReceiverError, match="No space left on device"):
            transport.send(numbered(1, 1000))
        filler.unlink()
        transport.send(numbered(1, 40))
        lines = (full / "out.json").read_bytes().splitlines()
        seen = []
        for line in lines:
            try:
                seen.append(json.loads(line)["event"]["sequence"])
            except ValueError:
                continue
        assert seen[-40:] == list(range(1, 41))
        assert len(seen) >= len(lines) - 1
        transport.close()
    finally:
        subprocess.run(["umount", str(full)], check=True)


class TestStdout:
    @pytest.fixture
    def pipe(self) -> Iterator[tuple[int, int]]:
        reading, writing = os.pipe()
        yield reading, writing
        for each in (reading, writing):
            try:
                os.close(each)
            except OSError:
                continue

    def test_documents_arrive_a_line_each(self, pipe: tuple[int, int]) -> None:
        sent = batch("one\nline", "two")
        StdoutTransport(StdoutReceiver(), output=pipe[1]).send(sent)
        lines = os.read(pipe[0], 1 << 16).splitlines()
        assert [json.loads(line) for line in lines] == [document(sent, 0), document(sent, 1)]

    def test_the_process_has_it_on_its_standard_output(self) -> None:
        program = (
            "import sys; sys.path.insert(0, sys.argv[1])\n"
            "from batches import numbered\n"
            "from voltscope.logs.settings import StdoutReceiver\n"
            "from voltscope.logs.transports.stdout import StdoutTransport\n"
            "transport = StdoutTransport(StdoutReceiver()); transport.send(numbered(1, 3000)); transport.close()\n"
        )
        done = subprocess.run([sys.executable, "-c", program, str(Path(__file__).parent)], capture_output=True)
        assert done.stderr == b""
        seen = [json.loads(line)["event"]["sequence"] for line in done.stdout.splitlines()]
        assert seen == list(range(1, 3001))

    def test_a_reader_that_reads_nothing_is_told_of_and_tears_nothing(self, pipe: tuple[int, int]) -> None:
        transport = StdoutTransport(StdoutReceiver(), output=pipe[1], timeout_s=0.2)
        many: Batch = numbered(1, 1000)
        with pytest.raises(ReceiverError, match=r"nobody has read [0-9]+ bytes for 0\.2 s"):
            transport.send(many)
        os.read(pipe[0], 1 << 20)
        transport.send(numbered(1, 3))
        lines = os.read(pipe[0], 1 << 20).splitlines()
        assert [json.loads(line)["event"]["sequence"] for line in lines if line] == [1, 2, 3]

    def test_a_reader_that_is_gone_is_told_of(self, pipe: tuple[int, int]) -> None:
        os.close(pipe[0])
        with pytest.raises(ReceiverError, match="Broken pipe"):
            StdoutTransport(StdoutReceiver(), output=pipe[1]).send(numbered(1, 1))

    def test_an_engines_own_log_file_is_no_receiver(self, tmp_path: Path) -> None:
        with (tmp_path / "engine.log").open("wb") as log:
            transport = StdoutTransport(StdoutReceiver(), output=log.fileno(), errors=log.fileno())
            with pytest.raises(ReceiverError, match="own log file; use a receiver of type file"):
                transport.send(numbered(1, 1))
        assert (tmp_path / "engine.log").read_bytes() == b""
