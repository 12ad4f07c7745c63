"""What fires, as the alerts engine is told: no alert is over because an answer had no room for it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from alertd_rig import CRASHED, Rig, wait_for
from servers.answering import AnsweringServer, Reply

from voltscope.alerting.alert import Alert
from voltscope.alerting.site.firing import MAX_ALERTS, FromAlertd, acknowledge
from voltscope.alerting.site.settings import AlertdSettings
from voltscope.errors import ReceiverError


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


def test_who_acknowledges_where_nobody_hears_it_is_told_so() -> None:
    with AnsweringServer(lambda asked: Reply()) as gone:
        pass
    with pytest.raises(ReceiverError, match=f"acknowledgements: {gone.url}: .*Nothing was acknowledged"):
        acknowledge(AlertdSettings(urls=(gone.url,)), "5d1f", "mine")
