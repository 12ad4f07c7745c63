"""The page an engine shows people at `/`: no script, no other file, nothing that could be taken over."""

from __future__ import annotations

from html import escape

CSP = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

_DOCUMENT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }}
body {{ max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8886; }}
.bad {{ font-weight: bold; color: #c33; }}
</style>
<h1>{title}</h1>
{body}
</html>
"""


def landing_document(title: str, body: str) -> str:
    """A whole HTML document. `title` is text; `body` is HTML, its foreign parts escaped by the caller."""
    return _DOCUMENT.format(title=escape(title), body=body)
