"""Several agents of one distribution are told apart, although the log names them all alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from voltscope.logs.identity import Identities
from voltscope.logs.parse import Header
from voltscope.platform.agents import Facts, InstalledAgent

NAME = "volttron-meter-0.1.0"
BOOT = 1_000_000.0


PLATFORM = Header(20, "volttron.server.aip", None, None, 1345, 0)


def line(pid: int) -> Header:
    return Header(20, "meter.agent", pid, None, 94, 0)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/stat").write_text(f"cpu 1 2 3\nbtime {BOOT:.0f}\n")
    return tmp_path


def install(home: Path, identity: str) -> None:
    folder = home / "agents" / identity
    folder.mkdir(parents=True)
    (folder / "NAME").write_text(NAME)


def run(home: Path, pid: int, identity: str, at: float) -> None:
    """A process that started at `at`."""
    folder = home / "proc" / str(pid)
    folder.mkdir()
    fields = ["S", "1", *["0"] * 17, str(int((at - BOOT) * 100)), *["0"] * 5]
    (folder / "stat").write_text(f"{pid} (python3) {' '.join(fields)}\n")
    (folder / "cwd").symlink_to(home / "agents" / identity)


def test_the_second_of_a_name_is_not_taken_for_the_first(home: Path) -> None:
    identities = Identities(home, home / "proc")
    install(home, "meter.roof")
    run(home, 100, "meter.roof", BOOT + 50)
    identities.listen(PLATFORM, BOOT + 51, f"agent {NAME} has PID 100")
    install(home, "meter.cellar")
    run(home, 200, "meter.cellar", BOOT + 60)
    identities.listen(PLATFORM, BOOT + 61, f"agent {NAME} has PID 200")
    assert [identities.of(line(pid), BOOT + 70)[0] for pid in (100, 200)] == ["meter.roof", "meter.cellar"]


def test_whoever_has_the_number_today_is_not_who_had_it_then(home: Path) -> None:
    identities = Identities(home, home / "proc")
    for identity in ("meter.roof", "meter.cellar"):
        install(home, identity)
    run(home, 100, "meter.cellar", BOOT + 5000)
    identities.listen(PLATFORM, BOOT + 51, f"agent {NAME} has PID 100")
    assert identities.of(line(100), BOOT + 52)[0] == "volttron-meter", "which of both nobody can tell"
    assert identities.wants_facts


def test_facts_tell_what_neither_the_name_nor_the_process_did(home: Path) -> None:
    identities = Identities(home, home / "proc")
    for identity in ("meter.roof", "meter.cellar"):
        install(home, identity)
    identities.listen(PLATFORM, BOOT + 51, f"agent {NAME} has PID 100")
    agent = InstalledAgent(identity="meter.roof", name="volttron-meter", version="0.1.0", uuid="u", pid=100)
    facts = Facts(generation="modular", instance="i", volttron_home=str(home), taken_at=BOOT + 60, agents=[agent])
    identities.learn_facts(facts)
    assert identities.of(line(100), BOOT + 70)[:2] == ("meter.roof", "0.1.0")
