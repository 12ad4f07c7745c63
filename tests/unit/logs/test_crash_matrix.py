"""A shipper killed by strace at hundreds of system calls, over a log that is rotated all the while, loses nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from servers.missing import without

from voltscope.logs.spool import Spool
from voltscope.logs.transports.base import Transport

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "bench"))

CUTS = 300


@pytest.fixture(autouse=True)
def _strace() -> None:
    if shutil.which("strace") is None:
        without("strace is missing")


def test_three_hundred_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "lanes"
    program = [sys.executable, str(ROOT / "bench" / "crash-matrix"), "--cuts", str(CUTS), "--no-results"]
    done = subprocess.run([*program, "--keep", str(folder)], capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'"crash_cuts", "value": {CUTS}' in done.stdout
    assert list(folder.glob("lane*/spool/*.seg"))


def test_the_judge_notices_a_shipper_that_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from crash_lib import harness, shipper

    def forgetful(folder: Path, port: int) -> int:
        """Reads everything again, and gives it other ids: of another host."""
        shutil.rmtree(folder / "spool", ignore_errors=True)
        monkeypatch.setattr(shipper, "HOST", str(os.getpid()))
        return shipper.ship(folder, port)

    def hasty(folder: Path, port: int) -> int:
        """Notes what was taken before it is."""

        def sent(spool: Spool, transport: Transport) -> bool:
            cursor = spool.cursor(transport.name) or 0
            while (batch := spool.read(cursor, 5)) is not None:
                cursor = batch.last
                spool.save_cursor(transport.name, cursor)
                transport.send(batch)
            return True

        monkeypatch.setattr(shipper, "_sent", sent)
        return shipper.ship(folder, port)

    monkeypatch.setattr(harness, "CALLS", ("sendto", "recvfrom"))
    for number, wrong in enumerate((forgetful, hasty)):
        (tmp_path / wrong.__name__).mkdir()
        verdict = harness.Matrix(tmp_path / wrong.__name__, wrong, seed=number).run(cuts=10)
        assert (verdict.lost, verdict.duplicated) != (0, 0), wrong.__name__
