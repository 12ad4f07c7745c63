"""alertd's API: who may do what, and how much of anything there is."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from alertd_rig import ACKNOWLEDGER, CRASHED, OPERATOR, VIEWER, WEBHOOK, Client, Rig, request, wait_for
from prometheus_client.parser import text_string_to_metric_families

from voltscope.alerting.metrics import FAMILIES
from voltscope.alerting.moments import moment, rfc3339
from voltscope.alerting.service import Alertd
from voltscope.alerting.settings import AlertdConfig
from voltscope.alerting.trail import Trail
from voltscope.alerting.webhook import read_notification
from voltscope.errors import BadRequest

Start = Callable[..., Rig]
READS = ("/api/alerts", "/api/history", "/api/silences", "/api/maintenance", "/api/audit", "/metrics", "/")
HOSTILE = (
    '<script>alert(1)</script>\x1b]0;owned\x07{{ template "x" }}${jndi:ldap://x}\'"; DROP TABLE occurrence; --\u202e'
)


def test_reading_is_open_on_loopback_and_writing_is_for_operators(alertd: Start) -> None:
    rig = alertd()
    for path in READS:
        assert request(rig.alertd.url + path).status == 200
    viewer = Client(rig.alertd.url, VIEWER)
    for path in ("acknowledgements", "silences", "maintenance", "decommission", "webhook"):
        viewer.post(f"/api/{path}", {}, status=403)
        viewer.delete(f"/api/{path}/x", status=403)
    assert request(f"{rig.alertd.url}/api/alerts", headers={"Host": "evil.example"}).status == 421
    known = {"Authorization": f"Bearer {OPERATOR}", "Origin": "http://evil.example"}
    asked = {"site": "campus", "end": time.time() + 60, "why": "x"}
    posted = request(f"{rig.alertd.url}/api/maintenance", "POST", json.dumps(asked).encode(), known)
    assert posted.status == 403, "a browser sends what it knows along with any page's form"


def test_a_stranger_who_is_written_down_holds_up_nobody(alertd: Start) -> None:
    rig = alertd()
    with ThreadPoolExecutor(1) as elsewhere, rig.alertd.watch.parts.database.lock:
        refused = elsewhere.submit(Client(rig.alertd.url, "x" * 30).post, "/api/silences", {}, 401)
        for _ in range(3):
            assert request(f"{rig.alertd.url}/-/healthy").status == 200
            wait([refused], timeout=0.2)
        assert not refused.done(), "its line comes first"
    assert refused.result()["error"]["code"] == "unauthorized"


def test_an_acknowledger_takes_an_alert_in_hand_and_does_nothing_else(alertd: Start) -> None:
    rig = alertd()
    alert = rig.rules.fire(CRASHED)
    wait_for(lambda: rig.client.alert(alert), "the alert")
    client = Client(rig.alertd.url, ACKNOWLEDGER)
    made = client.post("/api/acknowledgements", {"alert": alert, "why": "known"})
    assert made["by"] == "acknowledger" and rig.silenced_in_alertmanager(alert)
    for path in ("silences", "maintenance", "decommission", "webhook"):
        client.post(f"/api/{path}", {}, status=403)
    client.delete(f"/api/acknowledgements/{made['id']}", status=403)
    assert rig.client.state(alert) == "acknowledged"


def test_a_webhook_tells_what_alertmanager_tells_and_does_nothing_else(alertd: Start) -> None:
    rig = alertd()
    client = Client(rig.alertd.url, WEBHOOK)
    client.post("/api/webhook", {"version": "4", "receiver": "duty", "alerts": []}, status=200)
    for path in ("acknowledgements", "silences", "maintenance", "decommission"):
        client.post(f"/api/{path}", {}, status=403)
        client.delete(f"/api/{path}/x", status=403)
    client.delete("/api/webhook", status=403)
    known = {"Authorization": f"Bearer {WEBHOOK}"}
    for path in READS:
        assert request(rig.alertd.url + path, headers=known).status == 403
    assert {one["by"] for one in rig.client.get("/api/audit")["lines"]} == {"webhook"}


def test_the_audit_says_that_there_is_more_also_where_lines_are_large(alertd: Start) -> None:
    rig = alertd()
    trail = Trail(rig.alertd.watch.parts.database)
    for number in range(50):
        trail.add(float(number), "operator", "127.0.0.1", "silence", detail={"matchers": ["x" * 100_000]})
    first = rig.client.get("/api/audit", limit=100)
    rest = rig.client.get("/api/audit", limit=100, before=first["next"])
    assert len(first["lines"]) < 50 and rest["next"] is None
    assert [one["at"] for one in first["lines"] + rest["lines"]] == [float(one) for one in reversed(range(50))]


def test_what_somebody_wrote_is_stored_and_shown_without_effect(alertd: Start) -> None:
    rig = alertd()
    alert = rig.rules.fire(
        {**CRASHED, "agent": HOSTILE},
        {"summary": HOSTILE, "description": "x" * 1_000_000, "runbook_url": "javascript:alert(1)"},
    )
    told = wait_for(lambda: rig.client.alert(alert), "the alert")
    assert told["labels"]["agent"] == HOSTILE, "labels are kept letter for letter, for silences"
    assert "\x1b" not in told["annotations"]["summary"] and "\u202e" not in told["annotations"]["summary"]
    assert len(told["annotations"]["description"]) < 5000
    assert told["links"]["runbook"] is None
    made = rig.client.post("/api/acknowledgements", {"alert": alert, "why": HOSTILE})
    assert made["applied"] and "\x1b" not in made["why"] and rig.silenced_in_alertmanager(alert)
    page = request(rig.alertd.url)
    assert "<script>" not in page.text and "&lt;script&gt;" in page.text and "\x1b" not in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    raw = request(f"{rig.alertd.url}/api/history").body
    assert b"\x1b" not in raw and len(raw) < 20_000
    assert rig.client.get("/api/history", agent=HOSTILE)["occurrences"][0]["alert"] == alert


@pytest.mark.parametrize(
    ("path", "document", "word"),
    [
        ("acknowledgements", {"alert": "../../etc/passwd", "why": "x"}, "no alert's id"),
        ("acknowledgements", {"alert": "0" * 16, "why": "x" * 501}, "501 characters"),
        ("acknowledgements", {"alert": "0" * 16, "why": "x", "by": "somebody else"}, "unknown parameter 'by'"),
        ("silences", {"matchers": [{"name": "a b", "value": "x"}], "until": 4e9, "why": "x"}, "more than a year"),
        ("silences", {"matchers": [{"name": "a b", "value": "x"}], "until": "in 1h", "why": "x"}, "until: found"),
        ("maintenance", {"site": "campus", "end": float("1e300"), "why": "x"}, "end: found"),
        ("maintenance", {"site": "campus", "start": 5, "end": 4, "why": "x"}, "not after start"),
        ("maintenance", {"site": "campus", "end": 10**400, "why": "x"}, "end: found"),
        ("maintenance", {"site": "half \ud800", "end": 4, "why": "x"}, "not JSON"),
        ("maintenance", {"end": 4, "why": "x"}, "parameter site is missing"),
        (
            "maintenance",
            {"site": "a", "end": 4e9, "why": "x", "weekly": True, "timezone": "../etc"},
            "less than 7 days",
        ),
        ("decommission", {"site": "campus"}, "why is missing"),
        ("webhook", {"alerts": 5}, "no notification of Alertmanager"),
        ("webhook", {"alerts": [], "version": "3"}, "not known"),
    ],
)
def test_what_is_wrong_is_named(refusing: Client, path: str, document: dict[str, Any], word: str) -> None:
    answer = refusing.post(f"/api/{path}", document, status=400)
    assert word in answer["error"]["message"] and answer["error"]["code"] == "bad-request"


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A client of an alertd without Alertmanager: what is wrong is wrong all the same."""
    folder = tmp_path_factory.mktemp("refusing")
    from alertd_rig import QUICK, credentials, load, site_file

    config = {**QUICK, "credentials": str(credentials(folder)), "sites": [str(site_file(folder))]}
    alertd = Alertd(load(AlertdConfig, {**config, "alertmanager": {"urls": ["http://127.0.0.1:1"]}}), folder / "data")
    alertd.start()
    yield Client(alertd.url)
    alertd.stop()


def test_without_alertmanager_it_answers_and_says_so(refusing: Client) -> None:
    told = wait_for(lambda: _asked(refusing), "that it was asked")
    assert not told["reachable"] and "does not answer" in told["error"]
    assert refusing.get("/api/alerts")["alerts"] == []
    made = refusing.post("/api/maintenance", {"site": "campus", "end": time.time() + 600, "why": "pumps"})
    assert made["applied"] is False
    refusing.delete(f"/api/maintenance/{made['id']}")
    refusing.delete("/api/silences/0a0a0a0a-0000-0000-0000-000000000000", status=503)
    values = {one.name: one.value for family in _metrics(refusing) for one in family.samples if not one.labels}
    assert values["voltscope_alertd_alertmanager_up"] == 0 and values["voltscope_alertd_round_failures_total"] > 0


def test_answers_are_limited(alertd: Start) -> None:
    rig = alertd()
    for number in range(12):
        rig.rules.fire({**CRASHED, "device": f"d{number}"}, {f"a{n}": "y" * 4000 for n in range(32)})
    wait_for(lambda: rig.client.get("/api/alerts")["counts"]["firing"] == 12, "the alerts")
    found = rig.client.get("/api/alerts", limit=5)
    assert (len(found["alerts"]), found["left_off"], found["counts"]["firing"]) == (5, 7, 12)
    rig.client.post("/api/webhook", {"alerts": [{"status": "firing", "labels": {"a": "x" * 2_000_000}}]}, status=200)
    known = {"Authorization": f"Bearer {OPERATOR}"}
    answer = request(f"{rig.alertd.url}/api/webhook", "POST", b"x" * (17 << 20), known)
    assert answer.status == 413


def test_its_metrics_are_those_declared(alertd: Start) -> None:
    rig = alertd()
    rig.rules.fire({"alertname": "Watchdog"})
    wait_for(lambda: rig.client.get("/api/alerts")["watchdog"]["state"] == "ok", "the watchdog")
    found = {one.name for family in _metrics(rig.client) for one in family.samples}
    optional = {one.name for one in FAMILIES if "mqtt" in one.name or "direct" in one.name}
    assert found == {one.name for one in FAMILIES} - optional


def test_its_data_are_its_own(alertd: Start) -> None:
    rig = alertd()
    folder = rig.folder / "alertd"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "alertd.sqlite").stat().st_mode) == 0o600
    connection = sqlite3.connect(folder / "alertd.sqlite")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_wrong_configuration_ends_it_with_the_key_and_what_is_allowed(tmp_path: Path) -> None:
    file = tmp_path / "alertd.json"
    file.write_text('{"poll": 5}')
    ended = subprocess.run(
        [sys.executable, "-m", "voltscope.cli", "alertd", "--config", str(file)], capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert "configuration key poll: found an unknown key" in ended.stderr and "poll_s" in ended.stderr


def test_moments_are_read_as_alertmanager_writes_them() -> None:
    assert moment("2026-11-21T18:50:21.862Z") == 1795287021.862
    assert moment("2026-11-21T19:50:21.862123456+01:00") == pytest.approx(1795287021.862123)
    assert moment("0001-01-01T00:00:00Z") is None and moment("yesterday") is None and moment(None) is None
    assert rfc3339(1795287021.862) == "2026-11-21T18:50:21.862Z"


def test_a_notification_gives_each_alert_with_its_receiver() -> None:
    (one,) = read_notification(
        b'{"version":"4","receiver":"mail","alerts":[{"status":"resolved","labels":{"alertname":"A"},'
        b'"startsAt":"2026-11-21T18:50:21Z","endsAt":"2026-11-21T18:51:21Z","fingerprint":"00000000000000aa"}],"x":1}'
    )
    assert (one.receiver, one.status, one.fingerprint, one.alert.ends_at) == (
        "mail",
        "resolved",
        "0" * 14 + "aa",
        1795287081,
    )
    with pytest.raises(BadRequest):
        read_notification(b"[]")


def _asked(client: Client) -> dict[str, Any] | None:
    told: dict[str, Any] = client.get("/api/alerts")["alertmanager"]
    return told if "asked yet" not in (told["error"] or "") else None


def _metrics(client: Client) -> list[Any]:
    return list(text_string_to_metric_families(request(f"{client.url}/metrics").text))
