"""`voltscope alerts` as people type it, against alertd beside a real Alertmanager."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alertd_rig import CRASHED, OPERATOR, Rig, credentials, wait_for

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def rig(alertd: Callable[..., Rig]) -> Rig:
    return alertd()


@pytest.fixture
def cli(rig: Rig, tmp_path: Path) -> Run:
    site = tmp_path / "cli-site.json"
    content = {"site": "campus", "volttron_home": str(tmp_path), "alertd": rig.alertd.url}
    site.write_text(json.dumps({**content, "credentials": str(credentials(tmp_path))}))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "voltscope.cli", "--site", str(site), "alerts", *arguments],
            env=_environment(HOME=str(tmp_path)), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert OPERATOR not in done.stdout + done.stderr
        return done

    return run


def _environment(**more: str) -> dict[str, str]:
    """As wide as it likes: a table leaves out columns that have no room."""
    return {name: value for name, value in os.environ.items() if name != "COLUMNS"} | more


@pytest.fixture
def crashed(rig: Rig) -> str:
    found = rig.rules.fire(CRASHED, {"summary": "it crashed \x1b[31m"})
    wait_for(lambda: rig.client.alert(found), "the alert")
    return found


def ok(done: subprocess.CompletedProcess[str], code: int = 0) -> str:
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def of_json(done: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    return json.loads(ok(done, code))


def test_what_burns_is_listed_and_ends_with_1(cli: Run, crashed: str) -> None:
    told = ok(cli("list"), 1)
    assert all(word in told for word in ("VolttronAgentCrashed", "critical", "platform.historian", crashed))
    assert "1 firing." in told
    assert of_json(cli("list", "--json", "--agent", "nobody"))["alerts"] == []
    assert "No watchdog was ever heard of" in cli("list").stderr


def test_the_watchdog_is_told_of_beside_the_alerts_and_is_none_itself(cli: Run, rig: Rig, crashed: str) -> None:
    watchdog = rig.rules.fire({"alertname": "Watchdog", "severity": "none", "site": "campus"})
    wait_for(lambda: rig.client.get("/api/alerts")["watchdog"]["state"] == "ok", "the watchdog")
    told = cli("list")
    assert "Watchdog" not in ok(told, 1) and "1 firing." in told.stdout and told.stderr == ""
    assert [one["name"] for one in of_json(cli("history", "--json"))["occurrences"]] == ["VolttronAgentCrashed"]
    (asked,) = of_json(cli("history", "--json", "--name", "Watchdog"))["occurrences"]
    assert asked["alert"] == watchdog


def test_an_alert_is_taken_in_hand_and_given_back(cli: Run, rig: Rig, crashed: str) -> None:
    assert "acknowledged until it is over" in ok(cli("ack", "VolttronAgentCrashed", "--why", "I look at it"))
    wait_for(lambda: rig.silenced_in_alertmanager(crashed), "the silence")
    assert "operator" in ok(cli("list"))
    assert "VolttronAgentCrashed (platform.historian on boiler-house)" in ok(cli("silences"))
    (line,) = of_json(cli("silences", "--json"))["acknowledgement"]
    assert (line["why"], line["by"]) == ("I look at it", "operator")
    ok(cli("unack", crashed[:6], "--why", "not mine"))
    wait_for(lambda: not rig.silenced_in_alertmanager(crashed), "the end of the silence")
    ok(cli("list"), 1)
    did = [one["action"] for one in of_json(cli("audit", "--json"))["lines"]]
    assert did == ["end-acknowledgement", "acknowledge"]
    assert "not mine" in ok(cli("audit")) and "127.0.0.1" in ok(cli("audit"))


def test_a_name_that_two_alerts_have_is_not_guessed(cli: Run, rig: Rig, crashed: str) -> None:
    other = rig.rules.fire({**CRASHED, "agent": "platform.driver"})
    wait_for(lambda: rig.client.alert(other), "the other alert")
    done = cli("ack", "VolttronAgentCrashed", "--why", "x")
    ok(done, 2)
    assert crashed in done.stderr and other in done.stderr


def test_silences_maintenance_and_sites_given_up_are_made_listed_and_ended(cli: Run, rig: Rig, crashed: str) -> None:
    made = of_json(cli("silence", "agent=platform.historian", "site=~camp.*", "--for", "2h", "--why", "work", "--json"))
    assert [one["is_regex"] for one in made["matchers"]] == [False, True]
    wait_for(lambda: rig.silenced_in_alertmanager(crashed), "the silence")
    ok(cli("maintenance", "campus", "--for", "1h", "--weekly", "--timezone", "Europe/Berlin", "--why", "window"))
    ok(cli("decommission", "old", "--instance", "barn", "--why", "sold"))
    told = ok(cli("silences"))
    assert all(word in told for word in ("agent=platform.historian site=~camp.*", "weekly", "old/barn"))
    ok(cli("end", made["id"].lower()[:-2], "--why", "done"))
    assert of_json(cli("silences", "--json"))["silence"] == []
    ok(cli("end", "no-such-id", "--why", "x"), 2)
    ok(cli("silence", "nonsense", "--for", "1h", "--why", "x"), 2)


@pytest.mark.parametrize("order", [1, -1])
def test_maintenance_begins_by_the_clock_that_it_is_planned_by(cli: Run, order: int) -> None:
    asked = [("--start", "2027-01-09T22:00"), ("--timezone", "Europe/Berlin"), ("--for", "4h"), ("--why", "new pump")]
    words = [word for pair in asked[::order] for word in pair]
    made = of_json(cli("maintenance", "campus", "--json", *words))
    assert (made["start"], made["end"]) == (1_799_528_400.0, 1_799_542_800.0), "21:00 and 01:00 UTC"
    assert "from 2027-01-09 22:00 until 2027-01-10 02:00 (Europe/Berlin)" in ok(cli("maintenance", "campus", *words))
    zoned = of_json(cli("maintenance", "campus", "--json", *words, "--start", "2027-01-09T22:00Z"))
    assert zoned["start"] == made["start"] + 3600
    refused = cli("maintenance", "campus", *words, "--timezone", "Europe/Nowhere")
    ok(refused, 2)
    assert "Europe/Nowhere" in refused.stderr


def test_history_has_what_was_and_show_tells_it_whole(cli: Run, rig: Rig, crashed: str) -> None:
    assert "goes on" in ok(cli("history"))
    rig.rules.resolve(crashed)
    wait_for(lambda: rig.client.alert(crashed) is None, "its end")
    (one,) = of_json(cli("history", "--json", "--agent", "platform.historian"))["occurrences"]
    assert one["ended"]
    whole = ok(cli("show", one["id"]))
    assert whole == ok(cli("show", "VolttronAgentCrashed")) == ok(cli("show", crashed))
    assert "it crashed" in whole and "\x1b" not in whole and "boiler-house" in whole
    assert "No alert in that time" in ok(cli("history", "--name", "Nothing"))
    ok(cli("show", "01ARZ3NDEKTSV4RRFFQ69G5FAV"), 2)


def test_the_watchdog_is_asked_for_from_elsewhere(cli: Run, rig: Rig, crashed: str) -> None:
    assert "No alert Watchdog fires" in ok(cli("watchdog", rig.server.url), 1)
    rig.rules.fire({"alertname": "Watchdog", "site": "campus"})
    told = wait_for(
        lambda: (done := cli("watchdog", rig.server.url, "--json")).returncode == 0 and done, "the watchdog"
    )
    assert json.loads(told.stdout)["state"] == "ok"
    rig.server.stop()
    ok(cli("watchdog", rig.server.url), 3)


def test_without_an_alertd_the_remedy_is_told(tmp_path: Path) -> None:
    site = tmp_path / "site.json"
    site.write_text(json.dumps({"site": "campus", "volttron_home": str(tmp_path)}))
    command = [sys.executable, "-m", "voltscope.cli", "--site", str(site), "alerts", "list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and '"alertd"' in done.stderr
