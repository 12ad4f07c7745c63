"""What shows that the main job runs: each proof asks the real program and raises StepFailed when it does not hold."""

from __future__ import annotations

import json
import sqlite3
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import opensearch
from .account import Runner
from .asking import ask, ask_grafana, get, wait_for
from .failure import StepFailed
from .peers import JOB
from .site_files import operator_secret
from .state import Home
from .volttron_platform import HISTORIAN

FRESH_S = 15.0
CAPTURE_S = 5
_FUNCTION = "_process_loop"  # the historian's own thread, in every capture of one
_LOGGED = "campus AND fake"  # the listener logs each publish of the fake device


def scraped(home: Home, timeout: float = 60) -> str:
    """Prometheus has `up == 1` for the exporter."""
    query = urllib.parse.urlencode({"query": f'up{{job="{JOB}"}}'})

    def value() -> str | None:
        answer = ask(f"http://127.0.0.1:{home.ports.prometheus}/api/v1/query?{query}")
        values = [series["value"][1] for series in answer["data"]["result"]]
        return "up == 1" if values == ["1"] else None

    return wait_for(
        value,
        timeout,
        "Prometheus has no up == 1 for the exporter",
        f"Look at http://127.0.0.1:{home.ports.prometheus}/targets.",
        home.platform_log,
    )


def seen(home: Home, series: str) -> bool:
    """Whether a series of this site is 1, by Prometheus. Raises OSError when it does not answer."""
    url = f"http://127.0.0.1:{home.ports.prometheus}/api/v1/query?"
    return bool(ask(url + urllib.parse.urlencode({"query": f"{series} == 1"}))["data"]["result"])


def exported(home: Home, timeout: float = 60) -> str:
    """The exporter says the platform is up."""
    url = f"http://127.0.0.1:{home.ports.exporter}/metrics"

    def value() -> str | None:
        return "volttron_platform_up 1" if "\nvolttron_platform_up 1" in get(url).decode() else None

    return wait_for(value, timeout, f"{url} does not say volttron_platform_up 1", "See the log.", home.platform_log)


def recorded(home: Home, timeout: float = 60) -> str:
    """The historian's newest row is younger than 15 s and than the platform, by the historian's own database."""
    database = home.volttron / "agents" / HISTORIAN / "data" / "historian.sqlite"
    platform_started = (home.volttron / "VOLTTRON_PID").stat().st_mtime

    def value() -> str | None:
        age = newest_row_age(database)
        fresh = age is not None and age < min(FRESH_S, time.time() - platform_started)
        return f"newest row {age:.1f} s old" if fresh else None

    return wait_for(
        value,
        timeout,
        f"the historian's newest row in {database} is not under {FRESH_S:.0f} s old",
        "Does the platform driver publish? See the log.",
        home.platform_log,
    )


def newest_row_age(database: Path) -> float | None:
    """Seconds since the newest row's time stamp (ISO 8601 in UTC); None when there is no row yet."""
    if not database.exists():
        return None
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=1) as connection:
            # The time stamps are text in UTC; SQLite itself tells the difference to now.
            row = connection.execute("select (julianday('now') - julianday(max(ts))) * 86400 from data").fetchone()
    except sqlite3.Error:
        return None  # no table yet, or being written
    return None if row is None or row[0] is None else float(row[0])


def searched(home: Home, runner: Runner, since: float, timeout: float = 60) -> str:
    """A log record written after `since` (seconds since the epoch) is found by search."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(since))
    command: list[str | Path] = [
        home.venv / "bin/voltscope",
        "logs",
        _LOGGED,
        "--since",
        moment,
        "--json",
        "--limit",
        "1",
    ]
    said = ""

    def value() -> str | None:
        nonlocal said
        code, out, said = runner.attempt(command, timeout=30)
        if code != 0 or not out.strip():
            return None
        return f"found a record of {json.loads(out.splitlines()[0])['@timestamp']}"

    try:
        return wait_for(
            value, timeout, f"the search for '{_LOGGED}' finds no record since {moment}", "See the log.", None
        )
    except StepFailed as error:
        raise StepFailed(
            error.why, f"Does voltscope.logship run? See {home.platform_log}.", home.platform_log, said
        ) from error


def opensearch_answers(home: Home, alive: Callable[[], bool]) -> str:
    """OpenSearch has started, and has opened its indices."""
    url = f"http://127.0.0.1:{home.ports.opensearch}"
    log = home.logs / "opensearch.out"

    def value() -> str | None:
        if not alive():
            raise StepFailed("OpenSearch has ended.", f"See {log}.", log)
        health = ask(f"{url}/_cluster/health")
        return url if health["status"] != "red" and not health["initializing_shards"] else None

    return wait_for(value, opensearch.START_S, f"OpenSearch does not answer at {url}", f"See {log}.", log)


def indexed(home: Home, since: float, timeout: float = 90) -> str:
    """OpenSearch has a record under its event.id, written after `since`, whose text stands in the platform's log."""
    url = f"http://127.0.0.1:{home.ports.opensearch}/voltscope-logs-*/_search"
    wanted = {
        "size": 1,
        "sort": [{"@timestamp": "desc"}],
        "query": {
            "bool": {
                "filter": [
                    {"match": {"message": {"query": _LOGGED.replace(" AND ", " "), "operator": "and"}}},
                    {"range": {"@timestamp": {"gte": int(since * 1000), "format": "epoch_millis"}}},
                ]
            }
        },
    }

    def value() -> str | None:
        for hit in ask(url, wanted)["hits"]["hits"]:
            event = hit["_source"]["event"]["id"]
            (found,) = ask(url, {"query": {"ids": {"values": [event]}}})["hits"]["hits"]
            with home.platform_log.open("rb") as log:
                log.seek(int(event[-12:], 16))  # where it stands in the log: docs/logs.md
                line = log.readline().decode(errors="replace")
            if found["_source"]["message"].splitlines()[0] in line:
                return f"event.id {event}"
        return None

    remedy = f"How far is it? {home.bin / 'voltscope'} spool stat"
    return wait_for(value, timeout, f"{url} has no new record of the platform", remedy, home.platform_log)


def profiled(home: Home, timeout: float = 60) -> str:
    """A 5 s flamegraph of the historian, idle included, holds a historian frame, is on disk and served."""
    base = f"http://127.0.0.1:{home.ports.profiler}"
    asked = {"agent": HISTORIAN, "seconds": CAPTURE_S, "rate": 100, "kind": "wall"}
    remedy = f"Run {home.bin / 'voltscope'} doctor; it names what profiling needs."
    wait_for(
        lambda: _healthy(f"{base}/-/healthy"),
        timeout,
        f"the profiler does not answer at {base}",
        remedy,
        home.platform_log,
    )
    secret = operator_secret(home)
    started = wait_for(  # it learns from the platform which agents there are
        lambda: ask(f"{base}/api/captures", asked, secret),
        timeout,
        f"the profiler takes no flamegraph of {HISTORIAN}",
        remedy,
        home.platform_log,
    )

    def value() -> dict[str, Any] | None:
        capture: dict[str, Any] = ask(f"{base}/api/captures/{started['id']}", secret=secret)
        if capture["state"] == "failed":
            problem = capture.get("error") or {}
            raise StepFailed(f"the capture failed: {problem.get('message')}", problem.get("remedy") or remedy)
        return capture if capture["state"] == "done" else None

    capture = wait_for(value, timeout, "the capture was not done in time", remedy, home.platform_log)

    def form(suffix: str) -> str:
        url = f"{base}/captures/{capture['id']}.{suffix}"
        found: str = wait_for(lambda: get(url, secret=secret).decode(), timeout, f"no {url}", remedy, home.platform_log)
        return found

    folded, picture = form("folded"), form("svg")
    if "historian" not in folded or "<svg" not in picture:
        raise StepFailed("the flamegraph holds no frame of the historian.", remedy, output=folded[:2000])
    if not list((home.volttron / "voltscope" / "profiler").rglob(f"*{capture['id']}*")):
        raise StepFailed(f"the capture {capture['id']} is served but not on disk.", remedy, home.platform_log)
    return f"{base}/captures/{capture['id']}.svg"


def profiled_before(home: Home, url: str | None) -> str | None:
    """`url` when an earlier run's flamegraph is there still, on disk and served: five seconds saved."""
    if not url:
        return None
    try:
        return url if b"<svg" in get(url, secret=operator_secret(home)) else None
    except OSError:
        return None


def capture_indexed(home: Home, timeout: float = 90) -> str:
    """OpenSearch finds the flamegraph of `profiled` by a function's name, with its share of the samples."""
    url = f"http://127.0.0.1:{home.ports.opensearch}/voltscope-profiles-*/_search"
    capture = Path(home.state["flamegraph"]).stem
    named = {"match_phrase": {"voltscope.profile.function_names.words": _FUNCTION}}

    def value() -> str | None:
        query = {"query": {"bool": {"filter": [{"ids": {"values": [capture]}}, named]}}}
        for hit in ask(url, query)["hits"]["hits"]:
            for function in hit["_source"]["voltscope"]["profile"]["functions"]:
                if function["name"].endswith(f".{_FUNCTION}"):
                    return f"{function['name']} in {function['total_share']:.0%} of the samples"
        return None

    why = f"{url} does not find the capture {capture} by {_FUNCTION}"
    return wait_for(value, timeout, why, "Does voltscope.profiler run? See the log.", home.platform_log)


def console_answers(home: Home, timeout: float = 30) -> str:
    """The console serves its health page."""
    base = f"http://127.0.0.1:{home.ports.console}"
    return wait_for(
        lambda: _healthy(f"{base}/-/healthy"),
        timeout,
        f"the console does not answer at {base}",
        f"See {home.logs / 'console.out'}.",
        home.logs / "console.out",
    )


def dashboards_shown(home: Home, timeout: float = 180) -> str:
    """Grafana lets the operator in, has all our dashboards, and reaches what they ask; its first start takes long."""
    base = f"http://127.0.0.1:{home.ports.grafana}"
    wanted = len(list((home.source / "grafana" / "json").glob("*.json")))

    def answers(source: dict[str, Any]) -> bool:
        if source["type"] == "alertmanager":  # of which Grafana asks in the browser alone, and through this
            return "versionInfo" in ask_grafana(home, f"/api/datasources/proxy/uid/{source['uid']}/api/v2/status")
        return bool(ask_grafana(home, f"/api/datasources/uid/{source['uid']}/health")["status"] == "OK")

    def shown() -> str | None:
        boards = ask_grafana(home, "/api/search?type=dash-db&tag=voltscope")
        if len(boards) < wanted:
            return None
        sources = ask_grafana(home, "/api/datasources")
        silent = [one["name"] for one in sources if not answers(one)]
        return None if silent else f"{len(boards)} dashboards, {', '.join(one['name'] for one in sources)}"

    return wait_for(
        shown,
        timeout,
        f"the Grafana at {base} does not show our dashboards",
        f"See {home.logs / 'grafana.out'}.",
        home.logs / "grafana.out",
    )


def alerts_told(home: Home, *, prometheus: bool, timeout: float = 60) -> str:
    """Prometheus has its Alertmanager, and alertd sees what that one has."""
    alertmanager, alertd = (f"http://127.0.0.1:{port}" for port in (home.ports.alertmanager, home.ports.alertd))

    def told() -> str | None:
        if prometheus:
            known = ask(f"http://127.0.0.1:{home.ports.prometheus}/api/v1/alertmanagers")["data"]
            if not any(one["url"].startswith(alertmanager) for one in known["activeAlertmanagers"]):
                return None
        answer = ask(f"{alertd}/api/alerts", secret=operator_secret(home))
        if not answer["alertmanager"]["reachable"]:
            return None
        return f"{len(answer['alerts'])} of them now, {alertd}"

    return wait_for(
        told,
        timeout,
        f"alerts do not come from Prometheus through {alertmanager} to alertd at {alertd}",
        f"See {home.logs / 'alertmanager.out'} and {home.logs / 'alertd.out'}.",
        home.logs / "alertd.out",
    )


def _healthy(url: str) -> str | None:
    get(url)
    return "answers"
