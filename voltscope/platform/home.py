"""What VOLTTRON_HOME says of a platform: its instance name and its process."""

from __future__ import annotations

import configparser
from pathlib import Path


def instance_name(volttron_home: Path) -> str:
    """`instance-name` of VOLTTRON_HOME/config; the directory's own name where there is none."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string((volttron_home / "config").read_text(errors="replace"))
    except (OSError, configparser.Error):
        return volttron_home.name
    name = parser.get("volttron", "instance-name", fallback="").strip().strip("\"'")
    return name or volttron_home.name


def platform_pid(volttron_home: Path) -> int | None:
    """The process that VOLTTRON_HOME/VOLTTRON_PID names; None where there is no such file."""
    try:
        return int((volttron_home / "VOLTTRON_PID").read_text())
    except (OSError, ValueError):
        return None
