"""What fires, as the alerts engine is told: no alert is over because an answer had no room for it."""

from __future__ import annotations

import time
from collections.abc import Callable

from alertd_rig import CRASHED, Rig, wait_for

from voltscope.alerting.alert import Alert
from voltscope.alerting.site.firing import MAX_ALERTS, FromAlertd
from voltscope.alerting.site.settings import AlertdSettings


def test_alertd_names_so_many_and_says_that_there_are_more(alertd: Callable[..., Rig]) -> None:
    rig = alertd()
    source = FromAlertd(AlertdSettings(urls=(rig.alertd.url,)))
    ends = time.time() + 600
    posted = [Alert({**CRASHED, "agent": f"agent.{number}"}, ends_at=ends) for number in range(MAX_ALERTS + 1)]
    rig.alertd.watch.parts.alertmanager.post_alerts(posted[1:])
    wait_for(lambda: rig.client.get("/api/alerts")["counts"]["firing"] == MAX_ALERTS, "them")
    firing, complete = source.firing("campus", "boiler-house")
    assert (len(firing), complete) == (MAX_ALERTS, True)
    rig.alertd.watch.parts.alertmanager.post_alerts(posted[:1])
    wait_for(lambda: rig.client.get("/api/alerts")["left_off"] == 1, "one more")
    firing, complete = source.firing("campus", "boiler-house")
    assert (len(firing), complete) == (MAX_ALERTS, False)
    source.close()
