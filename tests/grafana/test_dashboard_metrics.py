"""Dashboards use no metric that there is not, and leave none out without a reason."""

from __future__ import annotations

import functools
import re

import yaml
from dashboard_queries import FILES, ROOT, queries

from voltscope.alerting.metrics import FAMILIES as ALERTD

# Metrics that no panel shows, and why.
EXCUSED = {
    "volttron_platform_start_time_seconds": "the same as the uptime, which is shown",
    "voltscope_engine_scrapes_total": "the same as voltscope_scrapes_total, which a platform without a bridge has, too",
    **dict.fromkeys((family.name for family in ALERTD), "of alertd, whose alerts the console shows"),
}


def declared() -> dict[str, set[str]]:
    """The labels of each metric in the references."""
    found: dict[str, set[str]] = {}
    for document in ("metrics.md", "exporting.md"):
        for line in (ROOT / "docs" / document).read_text().splitlines():
            row = re.match(r"\| `(v\w+)` \| (\w+) \| ([^|]*) \|", line)
            if row:
                found[row[1]] = set(re.findall(r"`([\w-]+)`", row[3]))
    return found


@functools.cache
def recorded() -> dict[str, str]:
    """The expression behind every recording rule."""
    found = {}
    for path in (ROOT / "deploy/prometheus/rules").glob("*.yml"):
        for match in re.finditer(r"- record: (\S+)\n +expr: (\|-\n(?: {10}.*\n)+|.*\n)", path.read_text()):
            found[match[1]] = match[2]
    return found


def used(expr: str) -> set[str]:
    """The metrics in an expression, those behind recording rules included."""
    rules = recorded()
    found = {
        re.sub(r"_(bucket|sum|count)$", "", name)
        for name in re.findall(r"(?<![:\w])(v(?:olttron|oltscope)_\w+)(?!\w*:)", expr)
    }
    for name in re.findall(r"\w+:\w+:\w+", expr):
        assert name in rules, f"there is no recording rule {name}"
        found |= used(rules[name])
    return found


@functools.cache
def all_used() -> dict[str, set[str]]:
    """The queries of each metric."""
    found: dict[str, set[str]] = {}
    for name in FILES:
        for query in queries(name):
            for metric in used(query.expr):
                found.setdefault(metric, set()).add(query.expr)
    return found


def test_every_metric_that_is_shown_is_in_a_reference() -> None:
    assert all_used().keys() <= declared().keys()


def test_every_metric_of_the_references_is_shown_or_excused() -> None:
    assert declared().keys() - all_used().keys() == EXCUSED.keys()


def test_only_labels_that_a_metric_has_are_selected() -> None:
    known = declared()
    for metric, expressions in all_used().items():
        for expr in expressions:
            for inside in re.findall(rf"\b{metric}(?:_bucket)?\{{([^}}]*)\}}", expr):
                labels = set(re.findall(r"(\w+)=", inside.replace("=~", "=").replace("!=", "=")))
                assert labels <= known[metric] | {"site", "instance", "job"}, f"{metric}{{{inside}}}"


def test_federation_takes_along_what_the_fleet_asks_for() -> None:
    (job,) = yaml.safe_load((ROOT / "deploy/prometheus/examples/federation.yml").read_text())["scrape_configs"]
    taken = [re.sub(r'^\{__name__=~"(.+)"\}$', r"\1", one).partition("{")[0] for one in job["params"]["match[]"]]
    asked = {name for query in queries("fleet") for name in re.findall(r"([\w:]+)\{", query.expr)}
    assert {name for name in asked if not any(re.fullmatch(one, name) for one in taken)} == set()
