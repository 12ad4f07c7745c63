"""Whether a site that is given up has targets left: asked once a minute, whatever the answer."""

from __future__ import annotations

from servers.answering import AnsweringServer, Asked, Reply

from voltscope.alerting.settings import PrometheusSettings
from voltscope.alerting.standing import Standing
from voltscope.alerting.targets import SiteTargets

NOTHING, ONE = b'{"data": {"result": []}}', b'{"data": {"result": [{"value": [0, "1"]}]}}'
CAMPUS = Standing(id="a", kind="decommission", matchers=(), by="me", why="sold", at=0.0, site="campus")
HARBOUR = Standing(id="b", kind="decommission", matchers=(), by="me", why="sold", at=0.0, site="harbour")


def test_a_prometheus_that_refuses_holds_up_one_round_a_minute() -> None:
    asked: list[str] = []
    reply, now = Reply(503), 1000.0

    def answer(one: Asked) -> Reply:
        asked.append(one.path)
        return reply

    with AnsweringServer(answer) as prometheus:
        targets = SiteTargets(PrometheusSettings(urls=(prometheus.url,)), lambda: now)
        targets.refresh([CAMPUS])
        targets.refresh([CAMPUS])
        assert len(asked) == 1 and targets("campus", None) is None
        now, reply = 1061.0, Reply(200, ONE)
        targets.refresh([CAMPUS])
        assert len(asked) == 2 and targets("campus", None) is True
        reply = Reply(200, NOTHING)
        targets.refresh([CAMPUS, HARBOUR])
        assert len(asked) == 4, "one that is new is asked for at once"
        assert (targets("campus", None), targets("harbour", None)) == (False, False)
        targets.refresh([HARBOUR])
        assert len(asked) == 4
        targets.close()
