"""What the engine tests share: waiting for conditions, and looking at processes."""

import time
from pathlib import Path

ECHO = Path(__file__).parent / "echo_engine.py"


def wait_for(condition, timeout=60.0, what="the condition"):
    """Wait until `condition()` is true; its value."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come about in {timeout} s")


def alive(pid):
    """Whether a process runs (a kernel zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
