"""The profiler's page for people: how to ask for a capture, and those there are."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from voltscope.profiling.capture import Capture
from voltscope.profiling.formats import FORMATS
from voltscope.version import __version__
from voltscope.web.landing import landing_document

SHOWN = 50

_BODY = """<p>Flamegraphs of VOLTTRON agents on demand. Version {version}.</p>
<p>A capture is begun by an operator, with <code>voltscope profile AGENT -o flame.svg</code>, in the console, or by
<code>POST /api/captures</code> with <code>{{"agent": "platform.historian", "seconds": 5}}</code> and the operator's
token.</p>
<ul>
<li><a href="api/targets">Agents that can be profiled</a> (JSON)</li>
<li><a href="api/captures">Captures</a> (JSON)</li>
<li><a href="-/healthy">Whether this profiler is alive</a></li>
</ul>
<h2>Newest captures</h2>
<table>
<tr><th>Agent</th><th>When</th><th>What it shows</th><th></th></tr>
{rows}
</table>"""


def page(captures: Iterable[Capture]) -> str:
    """The page of these captures, newest first."""
    rows = "\n".join(_row(capture) for capture in captures) or "<tr><td colspan=4>none yet</td></tr>"
    return landing_document("voltscope profiler", _BODY.format(version=escape(__version__), rows=rows))


def _row(capture: Capture) -> str:
    links = " ".join(f'<a href="captures/{capture.id}.{form}">{escape(form)}</a>' for form in FORMATS)
    shown = links if capture.state == "done" else escape(str(capture.state))
    cells = (escape(capture.agent), escape(str(capture.started)), escape(capture.words), shown)
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
