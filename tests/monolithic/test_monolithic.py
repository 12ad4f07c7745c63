"""The same four agent folders on a real monolithic platform."""

import os
import signal
from pathlib import Path

import pytest
from live_site import wait_for
from servers.missing import without

from voltscope.search.searcher import Wish
from voltscope.search.store import Store


def test_every_agent_runs_and_every_collector_succeeds(live):
    wait_for(
        lambda: (
            {live.state(name) for name in ("listener", "platform.historian", "platform.driver", "voltscope.logship")}
            == {"running"}
        ),
        timeout=60,
        what="all agents",
    )
    samples = live.scrape()
    assert all(value == 1 for _, value in samples["voltscope_collector_success"])
    ((labels, _),) = samples["volttron_platform_info"]
    assert (labels["generation"], labels["instance"]) == ("monolithic", "mono") and labels["version"].startswith("9.")


def test_historian_and_device_are_fresh(live):
    age = "volttron_historian_newest_row_age_seconds"
    wait_for(lambda: (live.value(age, agent="platform.historian") or 99) < 15, what="a fresh row")
    device = live.value("volttron_device_last_update_age_seconds", device="campus/building/fake")
    assert device is not None and device < 15


def test_agents_are_reachable_export_metrics_and_the_bus_goes_round(live):
    wait_for(lambda: live.value("volttron_bus_probe_success") == 1, what="a probe that came back")
    wait_for(lambda: live.value("volttron_agent_rpc_reachable", agent="listener") == 1, what="an answer")
    wait_for(lambda: live.value("voltscope_exported_up", agent="voltscope.logship") == 1, what="logship's metrics")
    assert live.value("volttron_log_records_total", agent="listener", level="info")
    wait_for(lambda: live.value("volttron_bus_messages_total", root="devices"), what="a device's message")
    wait_for(lambda: live.value("volttron_historian_shadowed", agent="platform.historian") == 0, what="a verdict")


def test_a_killed_agent_is_crashed_with_its_signal(live):
    os.kill(live.pid("listener"), signal.SIGKILL)
    assert live.state("listener") == "crashed"
    wait_for(lambda: live.value("volttron_agent_exit_status", agent="listener") == -9, what="its exit status")
    live.platform.vctl("start", "--tag", "listener")
    wait_for(lambda: live.state("listener") == "running", what="a running listener")


def test_a_frozen_agent_is_hung(live):
    pid = live.pid("listener")
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: live.state("listener") == "hung", timeout=60, what="a hung listener")
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: live.state("listener") == "running", timeout=90, what="a listener that answers")


def test_logs_are_found_under_their_agents(live):
    store = Store.open(live.home / "voltscope" / "logship" / "spool")
    hits = wait_for(lambda: store.find(Wish("Topic", agent="listener")).hits, timeout=60, what="the listener's records")
    assert hits[0].level == "info"
    assert not store.find(Wish('"secretkey=[A-Za-z0-9]"')).hits


def test_no_secret_key_of_the_log_is_stored(live):
    """This generation logs every agent's secret key at INFO."""
    import re

    log = Path(live["log"]).read_text(errors="replace")
    keys = set(re.findall(r"secretkey=([\w-]{43})", log))
    assert keys, "the platform logs them"
    stored = b"".join(file.read_bytes() for file in (live.home / "voltscope/logship/spool").glob("*.*"))
    assert stored
    assert not [key for key in keys if key.encode() in stored]


def test_a_flamegraph_of_the_historian(live):
    arguments = {"agent": "platform.historian", "seconds": 3, "kind": "wall"}
    capture = live.rpc("voltscope.profiler", "profile", arguments, timeout=60)["result"]
    picture = live.rpc("voltscope.profiler", "capture", {"id": capture["id"]})["result"]["content"]
    assert capture["samples"] > 0 and "historian" in picture


def test_an_unknown_agent_is_said_to_be_unknown(live):
    answer = live.rpc("voltscope.profiler", "profile", {"agent": "nobody.here", "seconds": 1})
    assert (
        answer["result"]["error"]["code"] == "unknown-agent" and "nobody.here" in answer["result"]["error"]["message"]
    )


def test_an_alert_of_the_bus_goes_to_alertmanager_and_comes_back_until_the_agent_is_well(live):
    if live.alertmanager is None:
        without("prometheus-alertmanager is not on PATH")
    live.rpc("complainer", "complain", {"text": "too warm"})
    (told,) = wait_for(lambda: live.alertmanager.alerts(agent="complainer"), what="the alert in Alertmanager")
    assert (told["labels"]["site"], told["labels"]["instance"]) == ("mono-site", "mono")
    topic = "voltscope/alerts/VolttronBusAlert/firing"
    wait_for(
        lambda: [message for where, message in live.rpc("complainer", "heard")["result"] if where == topic],
        what="the alert on the bus",
    )
    wait_for(lambda: live.rpc("voltscope.alerts", "voltscope.status")["result"]["status"]["ill"], what="an ill agent")
    live.rpc("complainer", "recover")
    wait_for(lambda: not live.alertmanager.alerts(agent="complainer"), what="the end in Alertmanager")


def test_a_bridge_that_stops_takes_its_engine_along(live):
    engine = live.rpc("voltscope.profiler", "voltscope.status")["result"]["engine_pid"]
    live.platform.vctl("stop", "--tag", "profiler")
    wait_for(lambda: not Path(f"/proc/{engine}").exists(), what="the engine's end")
    live.platform.vctl("start", "--tag", "profiler")


def test_the_platform_has_logged_no_traceback_of_ours(live):
    log = Path(live["log"]).read_text(errors="replace")
    ours = [line for line in log.splitlines() if "(voltscope_" in line and " ERROR" in line]
    assert ours == []
    with pytest.raises(StopIteration):
        next(line for line in log.splitlines() if "MethodNotFound" in line)
