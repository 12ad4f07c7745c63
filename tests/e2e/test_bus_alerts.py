"""An agent complains on the bus: Alertmanager has it, hears when it is over, and the bus hears what fires."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import httpx
import pytest
from live_site import LiveSite, wait_for
from servers.missing import without

COMPLAINER = Path(__file__).with_name("complaining_agent")
WARM = "the chiller is too warm"


@pytest.fixture(scope="module")
def live(site):
    """The site, with an agent that complains when told to and remembers what comes back."""
    if "alertmanager" not in site:
        without("this site has no Alertmanager: prometheus-alertmanager is not installed")
    found = LiveSite(site)
    folder = Path(found["home"]) / "complaining_agent"
    shutil.copytree(COMPLAINER, folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"), dirs_exist_ok=True)
    subprocess.run(["chmod", "-R", "a+rwX", folder], check=True)
    found.vctl("install", folder, "--vip-identity", "complainer", "--tag", "complainer", "--start", timeout=300)
    yield found
    found.vctl("remove", "--tag", "complainer", check=False)


def bus_alert(live):
    """The agent's alert as Alertmanager has it."""
    filters = [("filter", 'alertname="VolttronBusAlert"'), ("filter", 'agent="complainer"')]
    answer = httpx.get(f"{live['alertmanager']}/api/v2/alerts", params=filters, trust_env=False, timeout=30)
    return next(iter(answer.json()), None) if answer.status_code == 200 else None


def heard(live, state):
    """What the agent heard on the topic of bus alerts."""
    return [
        message
        for topic, message in live.rpc("complainer", "heard")["result"]
        if topic == f"voltscope/alerts/VolttronBusAlert/{state}" and message["agent"] == "complainer"
    ]


def test_an_alert_of_the_bus_is_told_comes_back_is_taken_in_hand_and_is_over_when_the_agent_is_well(live):
    live.rpc("complainer", "complain", {"text": WARM})
    told = wait_for(lambda: bus_alert(live), what="the alert in Alertmanager")
    assert (told["labels"]["site"], told["labels"]["instance"]) == (live["site"], live.instance)
    assert told["labels"]["severity"] == "warning" and WARM in told["annotations"]["description"]
    (message,) = wait_for(lambda: heard(live, "firing"), what="the alert on the bus")
    assert message["id"] == told["fingerprint"] and message["state"] == "firing"
    listed = live.rpc("voltscope.alerts", "alerts")["result"]
    assert told["fingerprint"] in [one["id"] for one in listed["alerts"]]

    taken = live.rpc("voltscope.alerts", "acknowledge", {"alert": told["fingerprint"], "why": "a filter"})["result"]
    assert taken["by"] == "voltscope.alerts" and taken["why"].startswith("a filter (")
    again = live.rpc("voltscope.alerts", "acknowledge", {"alert": told["fingerprint"], "why": "a filter"})["result"]
    assert again["error"]["code"] == "alert-conflict", "alertd took the first one"

    # it is asked for its health every 10 s, and must have been seen to be ill
    wait_for(
        lambda: live.rpc("voltscope.alerts", "voltscope.status")["result"]["status"]["ill"] == ["complainer"],
        what="an ill agent",
    )
    live.rpc("complainer", "recover")
    wait_for(lambda: bus_alert(live) is None, what="the end in Alertmanager")
    wait_for(
        lambda: live.value("voltscope_alerts_resolved_total", agent="voltscope.alerts", reason="health"),
        what="the reason in the metrics",
    )
    assert len(heard(live, "firing")) == 1


def test_the_engine_is_killed_and_forgets_nothing(live):
    live.rpc("complainer", "complain", {"text": WARM})
    began = wait_for(lambda: bus_alert(live), what="the alert in Alertmanager")["startsAt"]
    engine = live.rpc("voltscope.alerts", "voltscope.status")["result"]["engine_pid"]
    os.kill(engine, signal.SIGKILL)
    wait_for(
        lambda: (live.rpc("voltscope.alerts", "voltscope.status")["result"]["engine_pid"] or engine) != engine,
        what="another engine",
    )
    assert bus_alert(live)["startsAt"] == began
    open_ = live.rpc("voltscope.alerts", "voltscope.status")["result"]["status"]["open"]
    assert "complainer" in [one["agent"] for one in open_]
    live.rpc("complainer", "say_good")
    wait_for(lambda: bus_alert(live) is None, what="the end in Alertmanager")


def test_a_topic_that_was_missed_is_listened_for_and_nobody_starves_of_it(live):
    found = live.scrape()["volttron_device_updates_total"]
    device = max(found, key=lambda sample: sample[1])[0]["device"]
    reason = {"agent": "voltscope.alerts", "reason": "topics"}
    before = live.value("voltscope_alerts_resolved_total", **reason)
    text = f"Topic(s) not published within time limit: ['devices/{device}/all']"
    live.rpc("complainer", "complain", {"text": text})
    wait_for(lambda: live.value("voltscope_alerts_resolved_total", **reason) == before + 1, what="a published topic")
    live.rpc("complainer", "recover")
    wait_for(lambda: bus_alert(live) is None, what="the end in Alertmanager")
    assert live.value("volttron_historian_shadowed", agent="platform.historian") == 0
