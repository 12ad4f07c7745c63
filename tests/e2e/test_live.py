"""Live views of a real platform's agents: the probe enabled as a user does it, and each view from the command line."""

import grp
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from live_site import LiveSite, wait_for

from voltscope.probed.protocol import SOCKET

STUCK = Path(__file__).with_name("stuck_agent")


@pytest.fixture(scope="module")
def live(site):
    return LiveSite(site)


@pytest.fixture(scope="module")
def probed(live):
    """The site with the probe enabled, and its historian and an agent that gets stuck started since.

    A probe listens some ten seconds after its agent's start: the historian first, it has the other's installation.
    """
    live.voltscope("probe", "enable")
    live.vctl("restart", "--tag", "historian")
    folder = Path(live["home"]) / "stuck_agent"
    shutil.copytree(STUCK, folder, dirs_exist_ok=True)
    owner = live.home.stat()
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)
    live.vctl("install", str(folder), "--vip-identity", "test.stuck", "--tag", "stuck", "--start", timeout=300)
    answering(live, "platform.historian")
    yield live
    live.vctl("remove", "--tag", "stuck", check=False)
    live.voltscope("probe", "disable")


@pytest.fixture(scope="module")
def stuck(probed):
    """The same, with the stuck agent's probe listening."""
    answering(probed, "test.stuck")
    return probed


def answering(live, agent):
    """Wait until the agent's probe answers."""

    def states():
        return {one["agent"]: one["state"] for one in json.loads(live.voltscope("probe", "status", "--json"))["agents"]}

    wait_for(lambda: states().get(agent) == "answers", timeout=180, what=f"the probe in {agent}")


@pytest.fixture(scope="module")
def root_helper(live):
    """Whether the root helper runs: as systemd would, for the platform's group."""
    if os.geteuid() or SOCKET.exists():
        yield SOCKET.exists()
        return
    group = grp.getgrgid(live.home.stat().st_gid).gr_name
    command = [live["voltscope"], "probed", "--group", group]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: SOCKET.exists() or process.poll() is not None, what="the root helper")
        yield process.poll() is None
        process.terminate()


def watched(live, view, agent, *options, showing):
    """What `voltscope live VIEW AGENT --once --json` prints, as soon as it is `showing` what it should: a busy machine
    may take most of a session's time to attach.
    """

    def once():
        found = json.loads(live.voltscope("live", view, agent, "--once", "--seconds", "2", "--json", *options))
        assert (found["view"], found["agent"]) == (view, agent)
        return found if showing(found) else None

    return wait_for(once, timeout=180, what=f"what {view} of {agent} shows")


def functions(greenlet):
    return [place["function"] for place in greenlet["stack"]]


def test_every_greenlet_of_the_historian_is_seen_where_it_waits(probed):
    found = watched(probed, "greenlets", "platform.historian", showing=lambda found: found["samples"] >= 2)
    assert (found["source"], found["exact"], found["left_out"]) == ("probe", True, 0)
    assert found["count"] == len(found["greenlets"]) > 5
    waiting = [one for one in found["greenlets"] if one["state"] == "waiting"]
    assert all(one["waits_s"] is not None and one["stack"] for one in waiting)
    assert any("historian" in place["file"] for one in waiting for place in one["stack"])
    assert any(one["spawned"] for one in waiting)
    assert found["folded"]


def test_system_calls_of_the_historian_are_counted_by_the_best_there_is(probed, root_helper):
    found = watched(probed, "syscalls", "platform.historian", "--yes", showing=lambda found: found["calls"])
    assert sum(call["count"] for call in found["calls"]) > 0
    assert found["source"] in (["probed"] if root_helper else ["perf-stat", "strace"])


def test_what_keeps_the_hub_from_running_is_caught_with_its_stack(stuck):
    def caught(found):
        blocks = found["switches"]["blocks"]
        return [block for block in blocks if block["seconds"] > 0.2 and "crunch" in functions(block)]

    found = watched(stuck, "greenlets", "test.stuck", showing=caught)
    (meter,) = [one for one in found["greenlets"] if "wait_for_the_meter" in functions(one)]
    assert meter["state"] == "waiting" and meter["waits_s"] > 1
    assert caught(found)[0]["greenlet"]


def test_a_hung_agent_is_dumped_with_the_greenlet_that_hangs_and_the_one_that_waits(stuck):
    marker = stuck.home / "stuck-agent-hangs"
    marker.touch()
    try:
        told = wait_for(
            lambda: "read_the_dead_drive" in (dump := stuck.voltscope("threads", "test.stuck")) and dump,
            what="the hang in the dump",
        )
    finally:
        marker.unlink()
    greenlets = told.split("\n\n")
    (meter,) = [one for one in greenlets if "wait_for_the_meter" in one]
    assert "waiting for" in meter
    assert any("read_the_dead_drive" in one and "running" in one for one in greenlets)


def test_the_call_graph_shows_who_calls_what_takes_the_time(stuck):
    def shares(found):
        return {node["place"]["function"]: node["total"] for node in found["nodes"]}

    found = watched(stuck, "call-graph", "test.stuck", showing=lambda found: shares(found).get("crunch", 0) > 0.1)
    nodes = {node["place"]["function"]: node for node in found["nodes"]}
    callers = {edge["caller"] for edge in found["edges"] if edge["callee"] == nodes["crunch"]["id"]}
    assert nodes["crunch_now_and_then"]["id"] in callers


def test_the_flow_is_exact_and_in_order(stuck):
    def steps(found):
        names = {number: place["function"] for number, place in found["places"].items()}
        return [(kind, names[str(place)]) for _, _, kind, place, _, _ in found["steps"]]

    def came_back(found):
        kinds = [kind for kind, name in steps(found) if name == "read_the_dead_drive"]
        return kinds[:2] == ["call", "return"]

    found = watched(stuck, "flow", "test.stuck", "--yes", showing=came_back)
    assert (found["source"], found["exact"]) == ("probe", True)
