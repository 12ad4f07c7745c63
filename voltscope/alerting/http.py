"""alertd's HTTP API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from voltscope.alerting import requests
from voltscope.alerting.desk import Asker, Desk
from voltscope.alerting.documents import STATES, Documents, fitting
from voltscope.alerting.history import History, Occurrence, Wish
from voltscope.alerting.landing import page
from voltscope.alerting.standing import Kind, Standing
from voltscope.alerting.trail import Trail
from voltscope.alerting.watch import Watch
from voltscope.alerting.webhook import read_notification
from voltscope.errors import BadRequest
from voltscope.ulid import is_ulid
from voltscope.web.landing import CSP

_ALERTS, _MOST_ALERTS = 1000, 5000
_LINES, _MOST_LINES = 100, 500
_NO_REASON = "no reason was given"


class Api:
    """The routes. `metrics(states)` collects them, told how many alerts are in each state."""

    def __init__(
        self,
        watch: Watch,
        desk: Desk,
        history: History,
        trail: Trail,
        documents: Documents,
        clock: Callable[[], float],
        metrics: Callable[[dict[str, int]], list[Metric]],
    ) -> None:
        self._watch, self._desk, self._history, self._trail = watch, desk, history, trail
        self._documents, self._clock, self._metrics = documents, clock, metrics

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/", self.landing),
            Route("/-/healthy", self.healthy),
            Route("/-/watchdog", self.watchdog),
            Route("/metrics", self.metrics),
            Route("/api/alerts", self.alerts),
            Route("/api/acknowledgements", self._listing("acknowledgement"), methods=["GET"]),
            Route("/api/acknowledgements", self.acknowledge, methods=["POST"]),
            Route("/api/acknowledgements/{id}", self._ending("acknowledgement"), methods=["DELETE"]),
            Route("/api/silences", self.silences, methods=["GET"]),
            Route("/api/silences", self.silence, methods=["POST"]),
            Route("/api/silences/{id}", self._ending("silence"), methods=["DELETE"]),
            Route("/api/maintenance", self._listing("maintenance"), methods=["GET"]),
            Route("/api/maintenance", self.maintain, methods=["POST"]),
            Route("/api/maintenance/{id}", self._ending("maintenance"), methods=["DELETE"]),
            Route("/api/decommission", self._listing("decommission"), methods=["GET"]),
            Route("/api/decommission", self.decommission, methods=["POST"]),
            Route("/api/decommission/{id}", self._ending("decommission"), methods=["DELETE"]),
            Route("/api/history", self.history),
            Route("/api/history/{id}", self.occurrence),
            Route("/api/webhook", self.webhook, methods=["POST"]),
            Route("/api/audit", self.audit),
        ]

    def alerts(self, request: Request) -> Response:
        """What goes on now."""
        asked = request.query_params
        if (state := asked.get("state")) and state not in STATES:
            raise BadRequest(f"state: found {state[:40]!r}; allowed: {', '.join(STATES)}.")
        most = requests.whole(asked, "limit", _ALERTS, _MOST_ALERTS)
        told = self._going_on(asked)
        chosen = [one for one in told if not state or one["state"] == state]
        shown = fitting(chosen, most)
        return JSONResponse(
            {
                "alerts": shown,
                "left_off": len(chosen) - len(shown),
                "counts": {each: sum(one["state"] == each for one in told) for each in STATES},
                "alertmanager": self._alertmanager(),
                "watchdog": self._watchdog(),
            }
        )

    def silences(self, request: Request) -> Response:
        """Those somebody asked us for, then those of Alertmanager alone."""
        seen = self._watch.seen
        ours = [self._documents.standing(one, seen) for one in self._watch.parts.standings.open("silence")]
        others = [self._documents.silence(one) for one in seen.silences if not self._documents.standing_behind(one)]
        return JSONResponse({"silences": fitting(ours + others, _MOST_ALERTS), "alertmanager": self._alertmanager()})

    async def acknowledge(self, request: Request) -> Response:
        """Take an alert on."""
        asked, asker = await self._asked(request, "alert", "why")
        alert, why = requests.acknowledgement(asked)
        return self._made(await run_in_threadpool(self._desk.acknowledge, alert, why, asker))

    async def silence(self, request: Request) -> Response:
        """Silence what matches."""
        asked, asker = await self._asked(request, "matchers", "until", "why")
        return self._made(await run_in_threadpool(self._desk.silence, requests.silence(asked, self._clock()), asker))

    async def maintain(self, request: Request) -> Response:
        """Plan maintenance."""
        asked, asker = await self._asked(request, "site", "instance", "start", "end", "why", "weekly", "timezone")
        found = requests.maintenance(asked, self._clock())
        return self._made(await run_in_threadpool(self._desk.maintain, found, asker))

    async def decommission(self, request: Request) -> Response:
        """Give a site up."""
        asked, asker = await self._asked(request, "site", "instance", "why")
        site, instance = requests.site_and_instance(asked)
        why = requests.reason(asked)
        return self._made(await run_in_threadpool(self._desk.decommission, site, instance, why, asker))

    def history(self, request: Request) -> Response:
        """What was, the newest first."""
        asked = request.query_params
        before = asked.get("before")
        if before and not is_ulid(before):
            raise BadRequest("before is no occurrence's id.", "Take `next` of the page before.")
        limit = requests.whole(asked, "limit", _LINES, _MOST_LINES)
        wish = Wish(
            requests.time_of(asked, "since"),
            requests.time_of(asked, "until"),
            asked.get("name"),
            asked.get("site"),
            asked.get("instance"),
            asked.get("agent"),
            limit + 1,
            before or None,
            asked.get("alert"),
            None if asked.get("name") or asked.get("alert") else self._watch.parts.watchdog.alert,
        )
        found = self._history.find(wish)
        shown = fitting(self._told(found[:limit]), limit)
        more = len(found) > len(shown)
        return JSONResponse({"occurrences": shown, "next": shown[-1]["id"] if more else None})

    def occurrence(self, request: Request) -> Response:
        """One line of it."""
        return JSONResponse(self._told([self._history.get(request.path_params["id"])])[0])

    async def webhook(self, request: Request) -> Response:
        """What Alertmanager told somebody."""
        alerts = read_notification(await request.body())
        await run_in_threadpool(self._desk.notified, alerts, _asker(request))
        return JSONResponse({"alerts": len(alerts)})

    def audit(self, request: Request) -> Response:
        """Who did what, the newest first."""
        asked = request.query_params
        limit = requests.whole(asked, "limit", _LINES, _MOST_LINES)
        before = requests.whole(asked, "before", 0, 1 << 62) or None
        found = self._trail.lines(limit + 1, before)
        lines = fitting(found, limit)
        return JSONResponse({"lines": lines, "next": lines[-1]["id"] if len(found) > len(lines) else None})

    def metrics(self, request: Request) -> Response:
        """For Prometheus."""
        states = Counter(one["state"] for one in self._going_on({}))
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        body: bytes = encode(_Collected(self._metrics(states)))
        return Response(body, headers={"Content-Type": content_type})

    async def healthy(self, request: Request) -> Response:
        """Whether we run; Alertmanager need not."""
        return PlainTextResponse("voltscope alertd is healthy.\n")

    def watchdog(self, request: Request) -> Response:
        """200 while the alert that always fires arrives, 503 when it does not: for who looks from elsewhere."""
        told = self._watchdog()
        return JSONResponse(told, status_code=200 if told["state"] == "ok" else 503)

    def landing(self, request: Request) -> Response:
        """For people."""
        return HTMLResponse(page(self._going_on({}), self._watch.seen), headers={"Content-Security-Policy": CSP})

    def _listing(self, kind: Kind) -> Callable[[Request], Response]:
        key = {"acknowledgement": "acknowledgements"}.get(kind, kind)

        def listed(request: Request) -> Response:
            seen = self._watch.seen
            told = [self._documents.standing(one, seen) for one in self._watch.parts.standings.open(kind)]
            return JSONResponse({key: fitting(told, _MOST_ALERTS), "alertmanager": self._alertmanager()})

        return listed

    def _ending(self, kind: Kind) -> Callable[[Request], Response]:
        def end(request: Request) -> Response:
            why = request.query_params.get("why") or _NO_REASON
            self._desk.end(request.path_params["id"], (kind,), requests.reason({"why": why}), _asker(request))
            return Response(status_code=204)

        return end

    def _made(self, standing: Standing) -> Response:
        return JSONResponse(self._documents.standing(standing, self._watch.seen), status_code=201)

    async def _asked(self, request: Request, *known: str) -> tuple[dict[str, Any], Asker]:
        return requests.json_object(await request.body(), *known), _asker(request)

    def _going_on(self, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        seen = self._watch.seen
        silences = {one.id: one for one in seen.silences if one.state == "active"}
        alerts = self._history.going_on().values()
        # that the watchdog fires is as it should be: what is told of it stands beside the alerts
        chosen = [one for one in alerts if one.name != self._watch.parts.watchdog.alert and _matches(one, asked)]
        chosen.sort(key=lambda one: (one.began, one.id), reverse=True)
        return [self._documents.alert(one, seen, silences) for one in chosen]

    def _told(self, occurrences: list[Occurrence]) -> list[dict[str, Any]]:
        notified = self._history.notifications([one.id for one in occurrences])
        return [self._documents.occurrence(one, notified[one.id]) for one in occurrences]

    def _alertmanager(self) -> dict[str, Any]:
        seen = self._watch.seen
        return {
            "reachable": seen.error is None,
            "error": seen.error,
            "since": seen.since,
            "asked": seen.at,
            "settled": seen.settled,
        }

    def _watchdog(self) -> dict[str, Any]:
        verdict = self._watch.verdict()
        age = self._clock() - verdict.last if verdict.last is not None else None
        return {"state": verdict.state, "last": verdict.last, "age": age}


def _matches(one: Occurrence, asked: Mapping[str, str]) -> bool:
    exact = {"site": one.site, "instance": one.instance, "agent": one.agent, "severity": one.severity}
    if any(asked.get(name) and asked[name] != value for name, value in exact.items()):
        return False
    text = (asked.get("text") or "").casefold()
    return not text or any(text in value.casefold() for value in (*one.labels.values(), *one.annotations.values()))


def _asker(request: Request) -> Asker:
    request.state.audited = True  # from here on the desk writes the line
    return Asker(request.state.user.name, request.client.host if request.client else "unknown")


class _Collected:
    """What the encoder takes: something with `collect`."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics
