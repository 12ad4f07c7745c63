"""alertd's page for people: what fires now, and where the rest is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from html import escape
from typing import Any

from voltscope.alerting.watch import Seen
from voltscope.version import __version__
from voltscope.visible import visible
from voltscope.web.landing import landing_document

_SHOWN = 100
_LONGEST = 200

_BODY = """<p>Acknowledgements, maintenance and history beside Alertmanager. Version {version}.</p>
<p>{alertmanager}</p>
<ul>
<li><a href="api/alerts">Alerts</a>, <a href="api/history">history</a>, <a href="api/audit">audit</a> (JSON)</li>
<li><a href="metrics">Metrics</a>, <a href="-/watchdog">watchdog</a></li>
</ul>
<h2>Alerts</h2>
<table>
<tr><th>Alert</th><th>Severity</th><th>State</th><th>Where</th><th>Since</th></tr>
{rows}
</table>"""


def page(alerts: Iterable[dict[str, Any]], seen: Seen) -> str:
    """The page of these alerts, documents of the API."""
    rows = "\n".join(_row(one) for one in list(alerts)[:_SHOWN]) or "<tr><td colspan=5>none</td></tr>"
    told = "Alertmanager answers." if seen.error is None else f'<span class="bad">{escape(visible(seen.error))}</span>'
    return landing_document("voltscope alertd", _BODY.format(version=escape(__version__), alertmanager=told, rows=rows))


def _row(alert: dict[str, Any]) -> str:
    labels = alert["labels"]
    where = " / ".join(labels[name] for name in ("site", "instance", "agent", "device") if labels.get(name))
    since = datetime.fromtimestamp(alert["started"]).astimezone().isoformat(" ", "seconds")
    cells = (alert["name"], alert["severity"], alert["state"], where, since)
    return f"<tr>{''.join(f'<td>{escape(visible(str(cell)[:_LONGEST]))}</td>' for cell in cells)}</tr>"
