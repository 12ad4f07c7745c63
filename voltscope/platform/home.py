"""What VOLTTRON_HOME says of a platform: its configuration, its instance name and its process."""

from __future__ import annotations

import configparser
from pathlib import Path


def configuration(volttron_home: Path) -> dict[str, str]:
    """The section `volttron` of VOLTTRON_HOME/config, quotes taken off; it may hold secrets. Empty without one."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string((volttron_home / "config").read_text(errors="replace"))
    except (OSError, configparser.Error):
        return {}
    if not parser.has_section("volttron"):
        return {}
    return {key: value.strip().strip("\"'") for key, value in parser.items("volttron")}


def instance_name(volttron_home: Path) -> str:
    """`instance-name` of VOLTTRON_HOME/config; the directory's own name where there is none."""
    return configuration(volttron_home).get("instance-name") or volttron_home.name


def platform_pid(volttron_home: Path) -> int | None:
    """The process that VOLTTRON_HOME/VOLTTRON_PID names; None where there is no such file."""
    try:
        return int((volttron_home / "VOLTTRON_PID").read_text())
    except (OSError, ValueError):
        return None
