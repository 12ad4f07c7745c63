"""A day with a dead receiver: the day's records come as fast as they are read, and memory must not grow with them."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metrics_lib.figures import figure

from logs_lib import corpus

NAME, OF = "dead_receiver_rss_growth_mb", "resident memory of the engine, a receiver refusing all the while"
# A busy site's 2 records a second for 24 hours, in steps of a quarter of an hour; before it, as many steps as seal a
# segment, whose indexing is what makes the engine as large as it gets.
A_SECOND, STEPS, WARM = 2, 96, 40
_STEP_S = 0.8


def measure(folder: Path, quick: bool) -> Iterator[dict[str, Any]]:
    """The growth over the day."""
    if quick:
        yield figure(NAME, None, "MB", "< 5", OF, "takes two minutes")
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]  # nobody listens there any more
    log = folder / "volttron.log"
    log.touch()
    config = {
        "log_files": [str(log)],
        "timezone": "UTC",
        "policing": {"debug_records_per_second": 0},
        "receivers": [{"type": "syslog", "host": "127.0.0.1", "port": port}],
    }
    program = Path(__file__).with_name("ours.py")
    data = folder / "logship"
    each = 86_400 * A_SECOND // STEPS
    sizes, chance = [], random.Random(1)
    with subprocess.Popen(
        [sys.executable, program, data, json.dumps(config)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        with log.open("a", encoding="utf-8") as file:
            for step in range(WARM + STEPS):
                file.writelines(corpus.record(step * each + number, chance) for number in range(each))
                file.flush()
                time.sleep(_STEP_S)
                sizes.append(_resident_mb(process.pid))
        kept = sum(path.stat().st_size for path in (data / "spool").glob("*.seg"))
        process.communicate()
    if kept < log.stat().st_size * 0.8:
        raise SystemExit(f"the spool has {kept} bytes of a log of {log.stat().st_size}: not all was read in time")
    day = sizes[WARM - 1 :]
    yield figure(
        NAME, max(day) - day[0], "MB", "< 5",
        f"{OF}: {each * STEPS} records, {A_SECOND}/s for 24 h, in {STEPS * _STEP_S:.0f} s, once the first segment had "
        f"been sealed and indexed: {sizes[0]:.1f} MB at the start, {day[0]:.1f} then, {max(day):.1f} at most",
    )  # fmt: skip


def _resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
