"""Writes rule files as YAML, and the reference docs/alerts.md."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from dataclasses import fields

from . import agents, devices, historians, liveness, logs, ourselves, presence, resources, restarts
from .rule import Alert, Group, Record, template
from .thresholds import Thresholds

_MODULES = (liveness, restarts, presence, agents, historians, devices, resources, logs, ourselves)

_DOCUMENT = """# Alerts

Made by `python3 deploy/prometheus/generate.py` from `deploy/prometheus/mixin/`; change it there. How to load the rules,
and how to choose other thresholds, is in [deploy/prometheus](../deploy/prometheus/README.md).

Severities: `critical` – something does not work, or data is lost, now; `warning` – it will, if nobody looks; `info` –
worth knowing when you look. Alerts carry `site` and `instance`, and `agent` or `device` where they are about one. An
agent that is stopped and disabled is never told of. `lasting`: it must be true for so long before it fires; `kept`:
it goes on firing for so long after it was last true, so that what comes and goes is told once. Whom it is told to,
and what hushes what: [deploy/alertmanager](../deploy/alertmanager/README.md).
"""


def groups(thresholds: Thresholds) -> tuple[Group, ...]:
    """All groups, one a rule file."""
    return tuple(module.group(thresholds) for module in _MODULES)


def alerts(thresholds: Thresholds) -> list[Alert]:
    """All alerts, in the order of the files."""
    return [rule for group in groups(thresholds) for rule in group.rules if isinstance(rule, Alert)]


def rule_files(thresholds: Thresholds) -> dict[str, str]:
    """The content of each rule file, by its name."""
    return {f"{group.name}.yml": _group(group, thresholds) for group in groups(thresholds)}


def reference(thresholds: Thresholds) -> str:
    """The document docs/alerts.md."""
    parts = [_DOCUMENT]
    for group in groups(thresholds):
        found = [rule for rule in group.rules if isinstance(rule, Alert)]
        parts.append(
            f"\n## {group.name}\n\n{group.about}\n\n"
            "| alert | severity | lasting | kept | fires when |\n|---|---|---|---|---|\n"
        )
        parts += [
            f"| [{one.name}](runbooks/{one.name}.md) | {one.severity} | {one.lasting} | {one.kept} | {one.why} |\n"
            for one in found
        ]
    parts.append("\n## Recording rules\n\n| series | meaning |\n|---|---|\n")
    recorded = [rule for group in groups(thresholds) for rule in group.rules if isinstance(rule, Record)]
    parts += [f"| `{one.name}` | {one.help} |\n" for one in recorded]
    parts.append("\n## Thresholds\n\n| threshold | default | why |\n|---|---|---|\n")
    parts += [
        f"| `{one.name}` | {json.dumps(getattr(thresholds, one.name))} | {one.metadata['why']} |\n"
        for one in fields(thresholds)
    ]
    return "".join(parts)


def _group(group: Group, thresholds: Thresholds) -> str:
    lines = [
        "# Made by generate.py from mixin/; change it there.",
        "groups:",
        f"  - name: voltscope-{group.name}",
        *([f"    interval: {group.interval}"] if group.interval else []),
        "    rules:",
    ]
    for rule in group.rules:
        lines += _record(rule) if isinstance(rule, Record) else _alert(rule, thresholds)
    return "\n".join(lines) + "\n"


def _record(rule: Record) -> Iterable[str]:
    return [f"      - record: {rule.name}", *_expr(rule.expr)]


def _alert(rule: Alert, thresholds: Thresholds) -> Iterable[str]:
    annotations = {
        "summary": template(rule.summary),
        "description": template(rule.description),
        "runbook": f"docs/runbooks/{rule.name}.md",
    }
    if rule.agents:
        annotations["agents"] = _listing(rule.agents)
    if thresholds.runbook_url:
        annotations["runbook_url"] = f"{thresholds.runbook_url.rstrip('/')}/{rule.name}.md"
    return [
        f"      - alert: {rule.name}",
        *_expr(rule.expr),
        *([f"        for: {rule.lasting}"] if rule.lasting != "0s" else []),
        *([f"        keep_firing_for: {rule.kept}"] if rule.kept != "0s" else []),
        "        labels:",
        f"          severity: {rule.severity}",
        "        annotations:",
        # a JSON string is a YAML string
        *(f"          {name}: {json.dumps(text, ensure_ascii=False)}" for name, text in annotations.items()),
    ]


def _listing(vector: str) -> str:
    """The names of at most 20 agents in `vector`, of the alert's own platform, when the alert is evaluated."""
    same = "{site=%q, instance=%q}"
    query = f'(printf "topk(20, {vector}{same})" $labels.site $labels.instance)'
    return f'{{{{ range query {query} | sortByLabel "agent" }}}}{{{{ .Labels.agent }}}} {{{{ end }}}}'


def _expr(expr: str) -> Iterable[str]:
    if "\n" not in expr:
        # a plain YAML scalar would end at ` #` or `: `, and expressions are full of quotes and braces
        return [f"        expr: {expr}" if _plain(expr) else f"        expr: |-\n          {expr}"]
    return ["        expr: |-", textwrap.indent(expr, " " * 10)]


def _plain(expr: str) -> bool:
    return expr[0].isalpha() and ": " not in expr and " #" not in expr and not expr.endswith(":")
