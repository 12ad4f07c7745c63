"""What an alert looked like when it began: the flamegraph and the log of that moment."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alertd_rig import CRASHED, Rig, credentials, site_file, wait_for
from spool_writer import SpoolWriter

from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.platform.agents import Facts, InstalledAgent
from voltscope.profiling.engine import ProfilerEngine

Start = Callable[..., Rig]
HUNG = {**CRASHED, "alertname": "VolttronAgentHung", "agent": "hvac"}
ERROR, INFO = 40, 20


@pytest.fixture
def profiler(tmp_path: Path) -> Iterator[ProfilerEngine]:
    """A real one, with one agent, hvac, which is a real process; the site file leads to it."""
    folder = tmp_path / "profiler"
    folder.mkdir()
    process = subprocess.Popen([sys.executable, "-c", "import time\nwhile True: sum(range(9999)), time.sleep(0.01)"])
    facts = Facts(
        generation="modular",
        instance="boiler-house",
        volttron_home=str(tmp_path),
        taken_at=time.time(),
        agents=[InstalledAgent(identity="hvac", name="hvacagent", uuid="u1", enabled=True, pid=process.pid)],
        peers=["hvac"],
    )
    engine = ProfilerEngine(EngineContext("profiler", folder, tmp_path, lambda _: FactsAnswer(facts, 0.0, None)))
    engine.configure({"port": 0, "credentials": str(credentials(tmp_path)), "alert_seconds": 1})
    engine.start()
    site_file(tmp_path, profiler=engine.url, credentials=str(credentials(tmp_path)), log_store=str(tmp_path / "spool"))
    try:
        yield engine
    finally:
        engine.stop()
        process.kill()
        process.wait()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SpoolWriter]:
    writer = SpoolWriter(tmp_path / "spool", site="campus", instance="boiler-house")
    yield writer
    writer.close()


def test_a_flamegraph_and_the_errors_of_the_agent_are_taken_when_it_begins(
    alertd: Start, profiler: ProfilerEngine, log: SpoolWriter
) -> None:
    now = float(int(time.time()))
    log.write("too long ago", agent="hvac", level=ERROR, at=now - 500)
    log.write("valve stuck \x1b[31m", agent="hvac", level=ERROR, at=now - 60)
    log.write("valve fine", agent="hvac", level=INFO, at=now - 50)
    log.write("not its own", agent="platform.driver", level=ERROR, at=now - 40)
    log.write("x" * 100_000, agent="hvac", level=ERROR, at=now - 30)
    rig = alertd(evidence={"around_s": 120})
    alert = rig.rules.fire(HUNG)
    evidence = wait_for(lambda: _evidence(rig, "done"), "the evidence")
    assert evidence["errors"] == []
    capture = evidence["capture"]
    assert capture["url"] == f"{profiler.url}/captures/{capture['id']}.svg" and "samples" in capture["words"]
    (taken,) = profiler.handle("captures", {})
    assert (taken["id"], taken["reason"], taken["kind"]) == (capture["id"], "alert:VolttronAgentHung", "wall")
    first, second = evidence["logs"]
    assert (first["message"], first["level"], round(first["timestamp"])) == (
        "valve stuck \\x1b[31m",
        "error",
        round(now - 60),
    )
    assert second["message"].endswith("… (100000 characters)")
    told = rig.client.alert(alert)
    assert told and told["links"]["flamegraph"].endswith(f"/flamegraphs?agent=hvac&id={capture['id']}")


def test_the_capture_that_the_profiler_took_by_itself_is_the_evidence(
    alertd: Start, profiler: ProfilerEngine, log: SpoolWriter
) -> None:
    from voltscope.alerting.site_profiler import SiteProfiler
    from voltscope.site import find_site

    rig = alertd()
    asked = SiteProfiler(find_site(rig.folder / "site.json")).for_alert("VolttronAgentHung", "hvac")
    rig.rules.fire(HUNG)
    evidence = wait_for(lambda: _evidence(rig, "done"), "the evidence")
    assert evidence["capture"]["id"] == asked["id"] and len(profiler.handle("captures", {})) == 1


def test_what_is_logged_after_it_began_belongs_to_it(alertd: Start, profiler: ProfilerEngine, log: SpoolWriter) -> None:
    rig = alertd(evidence={"captures": False, "around_s": 120})
    rig.rules.fire(HUNG)
    wait_for(lambda: rig.client.get("/api/history")["occurrences"], "the occurrence")
    log.write("given up", agent="hvac", level=ERROR)
    rig.ahead = 200.0
    evidence = wait_for(lambda: _evidence(rig, "logs"), "the log")
    assert [one["message"] for one in evidence["logs"]] == ["given up"]


def test_what_cannot_be_taken_is_said_and_holds_nothing_up(alertd: Start) -> None:
    rig = alertd(evidence={"per_minute": 1})
    alert = rig.rules.fire(CRASHED)
    evidence = wait_for(lambda: _evidence(rig, "errors"), "the evidence")
    wait_for(lambda: len((_evidence(rig, "errors") or evidence)["errors"]) == 2, "both errors")
    evidence = _evidence(rig, "errors") or evidence
    assert evidence["capture"] is None and evidence["logs"] == []
    assert "the profiler at http://127.0.0.1:1 does not answer" in evidence["errors"][0]
    assert evidence["errors"][1].startswith("no log:")
    rig.client.post("/api/acknowledgements", {"alert": alert, "why": "on my way"})
    rig.rules.fire({**CRASHED, "agent": "platform.driver"})
    (other,) = wait_for(lambda: rig.client.get("/api/history", agent="platform.driver")["occurrences"], "the other")
    found = wait_for(lambda: rig.client.get(f"/api/history/{other['id']}")["evidence"]["errors"], "why none was taken")
    assert found == ["none was taken: of 1 a minute it is, and as many began just before."]


def _evidence(rig: Rig, what: str) -> dict[str, Any] | None:
    """Of the oldest occurrence, when it has its `errors`, its `logs`, or all of it is done."""
    occurrences = rig.client.get("/api/history")["occurrences"]
    found: dict[str, Any] | None = occurrences[-1]["evidence"] if occurrences else None
    if found is None:
        return None
    if what == "done":
        waiting = ("Waiting", "Recording")
        return found if found["capture"] and not found["capture"]["words"].startswith(waiting) else None
    return found if found[what] else None
