"""The exporter's page for people: what it is, where the metrics are, how the collectors do."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from voltscope.metrics.exposition import Result
from voltscope.version import __version__

CSP = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>voltscope exporter</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }}
body {{ max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8886; }}
.bad {{ font-weight: bold; color: #c33; }}
</style>
<h1>voltscope exporter</h1>
<p>Metrics of the VOLTTRON platform in <code>{home}</code> for Prometheus. Version {version}.</p>
<ul>
<li><a href="metrics">Metrics</a></li>
<li><a href="-/healthy">Whether this exporter is alive</a></li>
</ul>
<h2>Collectors</h2>
<table>
<tr><th>Collector</th><th>What</th><th>Last scrape</th></tr>
{rows}
</table>
</html>
"""


def page(home: str, helps: Mapping[str, str], results: Mapping[str, Result], disabled: tuple[str, ...]) -> str:
    """The page. `helps`: what each collector is for; `results`: how it did last; both by name."""
    rows = "\n".join(
        f"<tr><td>{escape(name)}</td><td>{escape(text)}</td>{_cell(results.get(name), name in disabled)}</tr>"
        for name, text in helps.items()
    )
    return _PAGE.format(home=escape(home), version=escape(__version__), rows=rows)


def _cell(result: Result | None, disabled: bool) -> str:
    if disabled:
        return "<td>disabled</td>"
    if result is None:
        return "<td>not scraped yet</td>"
    if result.error is not None:
        return f'<td class="bad">{escape(result.error)}</td>'
    return f"<td>{result.seconds * 1000:.1f} ms</td>"
