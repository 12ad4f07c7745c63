"""kill -9 at any moment: after the restart every record is in the store once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from logs_rig import SAMPLES, Rig

from voltscope.logs.store import Store

KILLS = 15
FOLLOW = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from logs_rig import Rig
rig = Rig(Path(sys.argv[1]))
print("up", flush=True)
while True:
    rig.now = time.monotonic()
    if not rig.pipeline.step():
        time.sleep(0.005)
"""


def test_killed_at_any_moment_no_record_is_lost_or_doubled(tmp_path: Path) -> None:
    chance = random.Random(3)
    log = tmp_path / "volttron.log"
    content = (SAMPLES / "monolithic.log").read_bytes() * 4
    slice_size = len(content) // KILLS + 1
    for number in range(KILLS):
        follower = subprocess.Popen(
            [sys.executable, "-c", FOLLOW, str(tmp_path), str(Path(__file__).parent)], stdout=subprocess.PIPE
        )
        try:
            assert follower.stdout is not None
            follower.stdout.readline()
            part = content[number * slice_size : (number + 1) * slice_size]
            until = time.monotonic() + chance.uniform(0.01, 0.15)
            with log.open("ab") as file:
                for at in range(0, len(part), 4096):
                    file.write(part[at : at + 4096])
                    file.flush()
            while time.monotonic() < until:
                pass
        finally:
            follower.kill()
            follower.wait()
            assert follower.stdout is not None
            follower.stdout.close()
    interrupted = Store.open(tmp_path / "store" / "logs.sqlite", readonly=True).last_id()
    rig = Rig(tmp_path)
    rig.drain()
    rows = rig.store._db.execute("SELECT offset, length FROM records ORDER BY id").fetchall()
    at = 0
    for offset, length in rows:
        assert offset == at
        at += length
    assert at == len(content)
    assert 0 < interrupted <= len(rows)
    assert len({hit.event_id for hit in rig.hits()}) == len(rows)
