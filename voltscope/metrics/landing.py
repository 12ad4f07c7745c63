"""The exporter's page for people: what it is, where the metrics are, how the collectors do."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from voltscope.metrics.exposition import Result
from voltscope.version import __version__
from voltscope.web.landing import landing_document

_BODY = """<p>Metrics of the VOLTTRON platform in <code>{home}</code> for Prometheus. Version {version}.</p>
<ul>
<li><a href="metrics">Metrics</a></li>
<li><a href="-/healthy">Whether this exporter is alive</a></li>
</ul>
<h2>Collectors</h2>
<table>
<tr><th>Collector</th><th>What</th><th>Last scrape</th></tr>
{rows}
</table>"""


def page(home: str, helps: Mapping[str, str], results: Mapping[str, Result], disabled: tuple[str, ...]) -> str:
    """The page. `helps`: what each collector is for; `results`: how it did last; both by name."""
    rows = "\n".join(
        f"<tr><td>{escape(name)}</td><td>{escape(text)}</td>{_cell(results.get(name), name in disabled)}</tr>"
        for name, text in helps.items()
    )
    body = _BODY.format(home=escape(home), version=escape(__version__), rows=rows)
    return landing_document("voltscope exporter", body)


def _cell(result: Result | None, disabled: bool) -> str:
    if disabled:
        return "<td>disabled</td>"
    if result is None:
        return "<td>not scraped yet</td>"
    if result.error is not None:
        return f'<td class="bad">{escape(result.error)}</td>'
    return f"<td>{result.seconds * 1000:.1f} ms</td>"
