"""What happens to agents of a real platform is in the next scrape."""

import itertools
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from live_site import LiveSite, fetch, wait_for

from voltscope.metrics.collectors import collectors


@pytest.fixture(scope="module")
def live(site):
    return LiveSite(site)


def test_prometheus_has_scraped_the_platform_under_its_own_names(live):
    # on a busy machine it may have missed the last scrape
    (up,) = wait_for(lambda: live.query('up{job="voltscope"} == 1'), what="a scrape")
    assert up["metric"]["instance"] == live.instance and up["metric"]["site"] == live["site"]
    (info,) = wait_for(lambda: live.query("volttron_platform_info"), what="a scrape of the platform")
    assert info["metric"]["generation"] == "modular" and info["metric"]["version"].startswith("11.")


def test_the_exposition_is_what_promtool_wants(live):
    text = fetch(f"{live['exporter']}/metrics")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_collector_succeeds_and_every_agent_runs(live):
    agents = {
        "listener",
        "platform.driver",
        "platform.historian",
        "voltscope.exporter",
        "voltscope.logship",
        "voltscope.profiler",
    }

    def failed():
        """Which do not: on a busy machine one may be late in one scrape, and is not in the next."""
        samples = live.scrape()
        success = {labels["collector"]: value for labels, value in samples["voltscope_collector_success"]}
        assert success.keys() == collectors().keys()
        running = {
            has["agent"] for has, value in samples["volttron_agent_state"] if has["state"] == "running" and value
        }
        return {name for name, value in success.items() if not value} | (agents - running)

    try:
        wait_for(lambda: not failed())
    except AssertionError:
        assert failed() == set()


def test_our_own_agents_export_through_the_exporter_as_any_agent_can(live):
    for agent in ("voltscope.logship", "voltscope.profiler"):
        wait_for(lambda: live.value("voltscope_exported_up", agent=agent) == 1, what=f"the metrics of {agent}")  # noqa: B023
    wait_for(lambda: live.value("volttron_log_records_total", agent="listener"), what="the listener's records")
    # an alert may be having one taken
    wait_for(lambda: live.value("voltscope_captures_running", agent="voltscope.profiler") == 0, what="no capture")
    assert "voltscope_exported_dropped_total" not in live.scrape(), "and nothing of theirs is refused"


def test_every_running_agent_is_reachable_and_the_bus_goes_round(live):
    wait_for(lambda: live.value("volttron_bus_probe_success") == 1, what="a probe that came back")
    wait_for(
        lambda: live.value("volttron_agent_rpc_reachable", agent="platform.historian") == 1,
        what="a historian that answers",
    )
    wait_for(lambda: 0 < (live.value("volttron_bus_probe_seconds") or 0) < 5, what="a probe that came back soon")
    wait_for(lambda: live.value("volttron_bus_messages_total", root="devices"), what="a device's message")
    wait_for(lambda: live.value("volttron_bus_messages_total", root="heartbeat"), what="a heartbeat")
    wait_for(
        lambda: live.value("volttron_historian_shadowed", agent="platform.historian") == 0,
        what="a historian that is judged",
    )


def test_installing_our_agents_restarted_nobody(live):
    """The quickstart installs them last, so on its first run theirs are the youngest processes."""
    if "output" not in live.status:
        pytest.skip("a home that was set up before has been started anew since")
    starts = {has["agent"]: value for has, value in live.scrape()["volttron_process_start_time_seconds"]}
    before = {"listener", "platform.driver", "platform.historian"}
    if "after a restart of the platform driver" in live.status["output"]:
        before.remove("platform.driver")  # VOLTTRON's own: on a busy machine it once in a while publishes nothing
    assert {agent for agent in before if starts[agent] >= starts["voltscope.exporter"]} == set()


def test_processes_are_those_of_the_platform(live):
    pid = live.pid("listener")
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))
    assert live.value("volttron_process_resident_memory_bytes", agent="listener") == pytest.approx(resident, rel=0.1)


def test_a_killed_agent_is_crashed_with_its_signal_in_the_next_scrape(live):
    """The modular monitor restarts a crashed agent at its next tick, every 10 s, whatever its configuration says;
    a tick may fall between kill and scrape, so there are some tries: on a busy machine a scrape takes seconds."""
    before = live.value("volttron_agent_restarts_total", agent="listener")
    for _ in range(10):
        os.kill(wait_for(lambda: live.pid("listener"), what="a running listener"), signal.SIGKILL)
        samples = live.scrape()
        state = next(h["state"] for h, v in samples["volttron_agent_state"] if h["agent"] == "listener" and v == 1)
        exits = {labels["agent"]: value for labels, value in samples.get("volttron_agent_exit_status", [])}
        if (state, exits.get("listener")) == ("crashed", -9):
            break
    else:
        raise AssertionError(f"listener is {state} with exit status {exits.get('listener')}")
    assert not [h for h, _ in samples["volttron_process_threads"] if h["agent"] == "listener"], (
        "a dead process has no series"
    )
    wait_for(lambda: live.state("listener") == "running", timeout=120, what="a running listener")
    assert live.value("volttron_agent_restarts_total", agent="listener") > before


def test_a_frozen_agent_is_hung_until_it_goes_on(live):
    pid = live.pid("listener")
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: live.state("listener") == "hung", timeout=120, what="a hung listener")
        wait_for(lambda: live.state("platform.historian") == "running", what="a historian that runs meanwhile")
        assert live.state("listener") == "hung"
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: live.state("listener") == "running", timeout=120, what="a listener that answers")


def test_a_stopped_agent_is_stopped_not_crashed(live):
    live.vctl("stop", "--tag", "listener")
    # in the next scrape, unless that has to do with what was known before
    assert (
        wait_for(lambda: (now := live.state("listener")) != "running" and now, what="a stopped listener") == "stopped"
    )
    assert live.value("volttron_agent_exit_status", agent="listener") == 0
    live.vctl("start", "--tag", "listener")
    wait_for(lambda: live.state("listener") == "running", what="a running listener")


def test_the_newest_row_ages_while_the_historian_does_not_write(live):
    def age():
        found = live.value("volttron_historian_newest_row_age_seconds", agent="platform.historian")
        return float("inf") if found is None else found

    assert wait_for(lambda: age() < 15, what="a fresh row")
    pid = live.pid("platform.historian")
    os.kill(pid, signal.SIGSTOP)
    try:
        earliest, first, latest = time.monotonic(), age(), time.monotonic()
        wait_for(lambda: max(20.0, first + 10) < age() < float("inf"), timeout=60, what="an age over 20 s")
        least = time.monotonic() - latest - 6
        assert least < age() - first < time.monotonic() - earliest + 6, "it ages as fast as the clock"
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: age() < 15, timeout=60, what="a fresh row again")


def test_devices_are_fresh(live):
    def fresh():
        samples = live.scrape()
        ages = samples.get("volttron_device_last_update_age_seconds", [])
        intervals = {has["device"]: value for has, value in samples["volttron_device_interval_seconds"]}
        return ages and all(age < 3 * intervals[has["device"]] + 5 for has, age in ages)

    wait_for(fresh, what="devices that are up to date")


def test_the_exporter_survives_the_death_of_its_engine(live):
    engine = live.rpc("voltscope.exporter", "voltscope.status")["result"]["engine_pid"]
    os.kill(engine, signal.SIGKILL)
    status = wait_for(
        lambda: (
            (answer := live.rpc("voltscope.exporter", "voltscope.status")["result"])["engine_pid"] not in (None, engine)
            and answer
        ),
        what="a new engine",
    )
    assert status["engine_restarts"] >= 1
    wait_for(lambda: live.value("volttron_platform_up") == 1, what="a platform that is up again")


def test_killing_a_bridge_ends_its_engine_and_the_next_takes_over(live):
    status = live.rpc("voltscope.profiler", "voltscope.status")["result"]
    os.kill(live.pid("voltscope.profiler"), signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{status['engine_pid']}").exists(), what="the engine's end")
    live.vctl("start", "--tag", "profiler", check=False)  # or the monitor was faster

    def new_engine():
        answer = live.rpc("voltscope.profiler", "voltscope.status", timeout=5).get("result")
        return answer and answer["engine_pid"]

    assert wait_for(new_engine, timeout=180, what="a new engine") != status["engine_pid"]


def test_a_bad_configuration_is_refused_in_words_and_changes_nothing(live, tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text('{"engine": {"prot": 1}}')
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.name.startswith(("pytest-", "popen-")):
            parent.chmod(0o755)
    live.vctl("config", "store", "voltscope.exporter", "config", str(bad), "--json")
    try:
        answer = wait_for(
            lambda: (
                (health := live.rpc("voltscope.exporter", "health.get_status")["result"])["status"] == "BAD" and health
            ),
            what="a bad health",
        )
        assert "prot" in answer["context"]["detail"] and "port" in answer["context"]["detail"]
        wait_for(lambda: live.value("volttron_platform_up") == 1, what="an exporter that goes on with what it had")
    finally:
        good = tmp_path / "good.json"
        good.write_text((Path(live["home"]) / "etc" / "voltscope.exporter.json").read_text())
        live.vctl("config", "store", "voltscope.exporter", "config", str(good), "--json")
    wait_for(
        lambda: live.rpc("voltscope.exporter", "health.get_status")["result"]["status"] == "GOOD", what="good health"
    )
    live.vctl("config", "delete", "voltscope.exporter", "config")


@pytest.fixture(scope="module")
def meters(live):
    """Somebody else's agent, which exports metrics."""
    folder = Path(live["home"]) / "exporting_agent"
    shutil.copytree(Path(__file__).with_name("exporting_agent"), folder, dirs_exist_ok=True)
    owner = live.home.stat()
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)
    live.vctl("install", str(folder), "--vip-identity", "test.meters", "--tag", "meters", "--start", timeout=300)
    wait_for(lambda: live.state("test.meters") == "running", timeout=120, what="the exporting agent")
    yield "test.meters"
    live.vctl("remove", "--tag", "meters", check=False)


def test_an_agent_of_somebody_else_exports_metrics(live, meters):
    wait_for(lambda: live.value("meter_power_watts", agent=meters, meter="roof") == 1250, what="its power")
    assert live.value("meter_polls_total", agent=meters) == 1


def test_it_tells_of_its_greenlets_over_rpc_without_a_probe(live, meters):
    found = live.rpc(meters, "voltscope.greenlets", {"most": 4})["result"]
    assert len(found["greenlets"]) == 4 and found["left_out"] > 0
    assert all(one["state"] == "waiting" and one["stack"] for one in found["greenlets"])
    (main,) = [thread for thread in found["threads"] if thread["name"] == "MainThread"]
    assert any(function.endswith("voltscope_greenlets") for function, _, _ in main["frames"])


@pytest.mark.parametrize(
    ("how", "reason"), [("lies", "form"), ("forges", "reserved"), ("shouts", "too-big"), ("floods", "too-many")]
)
def test_no_scrape_is_lost_when_it_exports_nonsense(live, meters, how, reason):
    live.vctl("restart", "--tag", "meters")  # a process anew is asked at once, whatever the last one did
    wait_for(lambda: live.value("meter_polls_total", agent=meters) == 1, what="its metrics")
    live.rpc(meters, "misbehave", {"how": how})

    def dropped():
        assert live.value("voltscope_build_info") == 1, "every scrape is answered"
        return live.value("voltscope_exported_dropped_total", agent=meters, reason=reason)

    wait_for(dropped, timeout=120, what=f"{reason} to be counted")
    # facts of a busy machine may take longer than one scrape waits for them
    wait_for(lambda: live.value("volttron_platform_up") == 1, what="a platform that is up")


def test_a_million_series_are_refused_unread(live, meters):
    """Modular's router decodes them, which nobody can spare it: platform_up may be 0 meanwhile, and scrapes go on."""
    live.vctl("restart", "--tag", "meters")
    wait_for(lambda: live.value("meter_polls_total", agent=meters) == 1, what="its metrics")
    scrapes = live.value("voltscope_scrapes_total")
    live.rpc(meters, "misbehave", {"how": "drowns"})

    def refused():
        assert live.value("voltscope_build_info") == 1, "every scrape is answered"
        return live.value("voltscope_exported_dropped_total", agent=meters, reason="too-big")

    # 20 s of a processor for the agent, the router and the bridge, and on a busy machine they have a tenth of one
    wait_for(refused, timeout=300, what="an answer that was refused")
    wait_for(lambda: live.value("voltscope_facts_fresh") == 1, timeout=120, what="facts that are fresh again")
    assert live.value("voltscope_scrapes_total") > scrapes


def test_no_scrape_is_lost_when_it_hangs(live, meters):
    live.vctl("restart", "--tag", "meters")
    wait_for(lambda: live.value("meter_polls_total", agent=meters) == 1, what="its metrics")
    live.rpc(meters, "misbehave", {"how": "hangs"})

    def silent():
        assert live.value("voltscope_build_info") == 1, "every scrape is answered"
        return live.value("voltscope_exported_up", agent=meters) == 0

    wait_for(silent, timeout=120, what="an agent that does not answer")
    wait_for(lambda: live.value("volttron_platform_up") == 1, what="a platform that is up")
    wait_for(lambda: live.state(meters) == "running", what="an answer for its health")


def test_the_platform_has_logged_no_traceback_of_ours(live):
    """No call of ours makes either platform log a traceback. VOLTTRON's own greenlets in our processes may: a busy
    machine keeps them waiting for an answer for too long."""
    logs = Path(live["log"]).parent.glob("volttron.log*")
    lines = [line for log in logs for line in log.read_text(errors="replace").splitlines()]
    for identity in ("voltscope.exporter", "voltscope.logship", "voltscope.profiler", "voltscope.alerts"):
        mark = f"(PID:{live.pid(identity)})"
        said = [line for line in lines if mark in line]
        begins = [place for place, line in enumerate(said) if "Traceback" in line]
        for begin, end in itertools.pairwise([*begins, len(said)]):
            frames = [line for line in said[begin:end] if 'File "' in line]
            assert not [line for line in frames if "voltscope" in line], "\n".join(said[begin:end])
    assert [line for line in lines if "MethodNotFound" in line or "NotImplementedError" in line] == []
