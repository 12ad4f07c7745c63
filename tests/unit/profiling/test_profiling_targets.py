"""From identity to pid: by the bridge's facts, and by /proc when there are none or they are old."""

from __future__ import annotations

import os
import time

import pytest

from voltscope.engine.service import FactsAnswer
from voltscope.errors import TargetGone, UnknownAgent
from voltscope.platform.agents import Facts, InstalledAgent
from voltscope.profiling.targets import Targets, named_by


def alone(timeout):
    return FactsAnswer(None, None, "no bridge")


def told(home, *agents, platform_pid=None, taken_at=None):
    facts = Facts(
        generation="modular",
        instance="vs1",
        volttron_home=str(home),
        taken_at=time.time() if taken_at is None else taken_at,
        platform_pid=platform_pid,
        agents=[InstalledAgent(name=f"{one}-1.0", uuid=one, identity=one, pid=pid) for one, pid in agents],
    )
    return lambda timeout: FactsAnswer(facts, 0.0, None)


def environment(home, identity):
    return {"AGENT_VIP_IDENTITY": identity, "VOLTTRON_HOME": str(home)}


def test_facts_name_the_process(tmp_path, start, program):
    process = start(program.IDLE)
    target = Targets(told(tmp_path, ("listener", process.pid), platform_pid=os.getpid()), tmp_path).find("listener")
    assert (target.agent, target.pid, target.instance) == ("listener", process.pid, "vs1")


@pytest.mark.parametrize("identity", ["platform", "platform.health", "control", "config.store", "platform.auth"])
def test_platform_services_are_the_platforms_process(tmp_path, identity):
    target = Targets(told(tmp_path, platform_pid=os.getpid()), tmp_path).find(identity)
    assert (target.agent, target.pid) == (identity, os.getpid())


def test_without_facts_the_environment_tells(tmp_path, start, program):
    process = start(program.IDLE, env=environment(tmp_path, "listener"))
    start(program.IDLE, env=environment(tmp_path / "other", "elsewhere"))
    targets = Targets(alone, tmp_path)
    assert targets.find("listener").pid == process.pid
    assert [target.agent for target in targets.all()] == ["listener"]


def test_without_facts_the_working_directory_tells(tmp_path, start, program):
    directory = tmp_path / "agents" / "listener" / "listener-1.0"
    directory.mkdir(parents=True)
    process = start(program.IDLE, cwd=directory, env={})
    assert Targets(alone, tmp_path).find("listener").pid == process.pid


def test_without_facts_the_platforms_pid_file_tells(tmp_path):
    (tmp_path / "VOLTTRON_PID").write_text(f"{os.getpid()}\n")
    assert Targets(alone, tmp_path).find("platform.health").pid == os.getpid()


def test_an_agents_children_are_not_the_agent(tmp_path, start, program):
    parent = start(program.IDLE, env=environment(tmp_path, "listener"))
    start(program.IDLE, env=environment(tmp_path, "listener"))
    assert Targets(alone, tmp_path).find("listener").pid == parent.pid


def test_an_agent_restarted_since_the_facts_is_found_by_its_new_process(tmp_path, start, program):
    old = start(program.IDLE)
    old.kill()
    old.wait()
    new = start(program.IDLE, env=environment(tmp_path, "listener"))
    targets = Targets(told(tmp_path, ("listener", old.pid), platform_pid=os.getpid()), tmp_path)
    assert targets.find("listener").pid == new.pid


def test_a_pid_given_to_a_younger_process_is_not_the_agent(tmp_path, start, program):
    stranger = start(program.IDLE)
    targets = Targets(told(tmp_path, ("listener", stranger.pid), taken_at=time.time() - 3600), tmp_path)
    with pytest.raises(TargetGone, match="'listener' is installed but does not run"):
        targets.find("listener")


def test_an_agent_that_does_not_run_is_gone(tmp_path):
    with pytest.raises(TargetGone, match="does not run"):
        Targets(told(tmp_path, ("listener", None)), tmp_path).find("listener")


def test_an_unknown_agent_is_answered_with_those_known(tmp_path, start, program):
    process = start(program.IDLE)
    targets = Targets(told(tmp_path, ("listener", process.pid), platform_pid=os.getpid()), tmp_path)
    with pytest.raises(UnknownAgent, match=r"no agent 'listner' runs here\. Known: listener, platform"):
        targets.find("listner")


@pytest.mark.parametrize(
    ("pattern", "others", "meant"),
    [
        ("platform.historian", ["platformXhistorian", "platform.historian.2", ""], ["platform.historian"]),
        ("platform.*", ["platform", "a.platform.x"], ["platform.", "platform.driver"]),
        ("*", [], ["a", "", "a\nb"]),
        ("a[bc]?", ["ab", "abx"], ["a[bc]?"]),
        ("*a" * 120, ["a" * 119 + "b" * 130], ["a" * 120]),  # no pattern takes long
    ],
)
def test_a_star_stands_for_anything_and_all_else_for_itself(pattern, others, meant):
    means = named_by(pattern)
    assert [one for one in [*others, *meant] if means(one)] == meant
