"""Where an alert leads: to what it is about, at its time."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from voltscope.alerting.sites import Sites
from voltscope.site import Site

LABELS = {"alertname": "VolttronAgentHung", "site": "north", "instance": "plant1", "agent": "hvac"}


def test_the_dashboard_is_opened_at_the_time_of_the_alert() -> None:
    sites = Sites([Site(site="north", instance="plant1", grafana="https://grafana.example/")])
    began, ended = 1_795_240_000.0, 1_795_243_600.0
    for until, to in ((None, "now"), (ended, "1795245400000")):
        found = urlsplit(sites.links(LABELS, {}, began, until)["dashboard"] or "")
        assert (found.netloc, found.path) == ("grafana.example", "/d/voltscope-agent")
        chosen = {"var-site": "north", "var-instance": "plant1", "var-agent": "hvac"}
        assert dict(parse_qsl(found.query)) == {**chosen, "from": "1795238200000", "to": to}
