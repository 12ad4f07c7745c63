"""Agents that the platform installs slower than vctl waits: a script stands for vctl, and tells what it was asked."""

from __future__ import annotations

import os

import pytest
from quickstart_lib.account import Account, Runner
from quickstart_lib.failure import StepFailed
from quickstart_lib.state import Home
from quickstart_lib.volttron_platform import PlatformAgent, install_agent

ME = Account("me", os.geteuid(), os.getegid(), drop=False)
AGENT = PlatformAgent("voltscope.exporter", "exporter", "folder")
# The first listing is one of a platform still at it, as its answers are then.
_VCTL = """#!/bin/sh
cd "{folder}"
echo "$*" >> asked
case "$1" in
  install) {install} ;;
  list) test -e listed && echo "63  voltscope-exporter-0.1.0  voltscope.exporter"; touch listed ;;
esac
"""
_AGENT_FOLDER = "agents/voltscope.exporter"
_LATE = "mkdir -p {0}; printf u-1 > {0}/UUID; echo 'operation timed out' >&2; exit 75".format(
    f"volttron/{_AGENT_FOLDER}"
)


def asked(home: Home, install: str) -> list[str]:
    """What vctl was asked when it answers `install` so; each by its first word and the next."""
    vctl = home.venv / "bin/vctl"
    vctl.parent.mkdir(parents=True)
    vctl.write_text(_VCTL.format(folder=home.path, install=install))
    vctl.chmod(0o755)
    install_agent(home, Runner(home, ME), AGENT)
    return [" ".join(line.split()[:3]) for line in (home.path / "asked").read_text().splitlines()]


def test_what_comes_late_is_waited_for_tagged_and_enabled(home: Home) -> None:
    assert asked(home, _LATE) == [
        "install folder --vip-identity",
        "list",
        "list",
        "tag u-1 exporter",
        "start --tag exporter",
    ]
    assert (home.volttron / _AGENT_FOLDER / "AUTOSTART").read_text() == "50"


def test_what_comes_in_time_is_started(home: Home) -> None:
    assert asked(home, "exit 0") == ["install folder --vip-identity", "start --tag exporter"]


def test_what_was_left_half_installed_is_not_installed_again(home: Home) -> None:
    folder = home.volttron / _AGENT_FOLDER
    folder.mkdir(parents=True)
    (folder / "UUID").write_text("u-1")
    (home.path / "listed").touch()
    assert asked(home, "exit 1") == ["list", "tag u-1 exporter", "start --tag exporter"]


def test_a_real_failure_is_told(home: Home) -> None:
    with pytest.raises(StepFailed, match=r"installing voltscope\.exporter failed"):
        asked(home, "echo 'no such agent' >&2; exit 1")
