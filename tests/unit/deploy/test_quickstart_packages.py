"""Installing packages starts no service, and leaves the policy as it was."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from quickstart_lib.packages import no_services_started


def test_services_are_denied_for_the_duration_only(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with no_services_started(policy):
        assert subprocess.run([policy]).returncode == 101
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["well", "badly"])
def test_an_existing_policy_comes_back_with_its_mode(tmp_path: Path, ending: str) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 104\n")
    policy.chmod(0o750)
    try:
        with no_services_started(policy):
            assert subprocess.run([policy]).returncode == 101
            if ending == "badly":
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert subprocess.run([policy]).returncode == 104
    assert policy.stat().st_mode & 0o777 == 0o750
    assert list(tmp_path.iterdir()) == [policy]


def test_what_a_killed_run_left_is_put_right_by_the_next(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 104\n")
    policy.chmod(0o755)
    _killed_while_installing(policy)
    with no_services_started(policy):
        assert subprocess.run([policy]).returncode == 101
    assert subprocess.run([policy]).returncode == 104
    assert list(tmp_path.iterdir()) == [policy]


def test_a_policy_of_a_killed_run_on_a_machine_without_one_goes(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    _killed_while_installing(policy)
    with no_services_started(policy):
        pass
    assert list(tmp_path.iterdir()) == []


def _killed_while_installing(policy: Path) -> None:
    child = os.fork()
    if child == 0:
        with no_services_started(policy):
            os._exit(0)
    os.waitpid(child, 0)
    assert policy.exists()
