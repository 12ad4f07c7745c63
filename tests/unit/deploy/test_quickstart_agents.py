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
  start) {start} ;;
esac
"""
_AGENT_FOLDER = "agents/voltscope.exporter"
_LATE = "mkdir -p {0}; printf u-1 > {0}/UUID; echo 'operation timed out' >&2; exit 75".format(
    f"volttron/{_AGENT_FOLDER}"
)


def asked(home: Home, install: str, start: str = "exit 0") -> list[str]:
    """What vctl was asked when it answers `install` and `start` so; each by its first word and the next."""
    vctl = home.venv / "bin/vctl"
    vctl.parent.mkdir(parents=True)
    vctl.write_text(_VCTL.format(folder=home.path, install=install, start=start))
    vctl.chmod(0o755)
    install_agent(home, Runner(home, ME), AGENT)
    return said(home)


def said(home: Home) -> list[str]:
    """What vctl was asked until now."""
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


def test_a_platform_that_answers_late_is_asked_again(home: Home) -> None:
    late = "test -e late && exit 0; touch late; echo 'operation timed out' >&2; exit 75"
    assert asked(home, "exit 0", late) == ["install folder --vip-identity", *["start --tag exporter"] * 2]


def test_a_platform_that_never_answers_is_given_up(home: Home) -> None:
    with pytest.raises(StepFailed, match=r"starting voltscope\.exporter failed") as failed:
        asked(home, "exit 0", "echo 'operation timed out' >&2; exit 75")
    assert failed.value.last_lines() == ["operation timed out"]
    assert said(home).count("start --tag exporter") == 4


def test_a_real_failure_is_told(home: Home) -> None:
    with pytest.raises(StepFailed, match=r"installing voltscope\.exporter failed"):
        asked(home, "echo 'no such agent' >&2; exit 1")
