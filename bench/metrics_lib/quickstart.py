"""The running quickstart that a bench looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quickstart_lib.state import Home
from quickstart_lib.status import status


def running_quickstart(home: Path) -> tuple[Home, dict[str, Any]]:
    """The one below `home`, and its status. Raises SystemExit when there is none."""
    at = Home(home.absolute())
    at.load()
    found = status(at)
    if not found["running"]:
        raise SystemExit(f"no running quickstart in {home}: run deploy/quickstart --home {home}")
    return at, found
