"""The template of links: an alert's runbook, dashboard at that time, console, logs and flamegraphs."""

from __future__ import annotations

from .settings import Settings

_BEFORE = 1_800_000_000_000  # half an hour, in nanoseconds
_AROUND = 300_000_000_000
# The dashboards of grafana/, by what an alert is about.
_DASHBOARD = (
    "/d/{{ if .Labels.agent }}voltscope-agent{{ else if .Labels.device }}voltscope-devices"
    "{{ else if .Labels.instance }}voltscope-platform{{ else }}voltscope-fleet{{ end }}"
    "?var-site={{ .Labels.site | urlquery }}"
    "{{ with .Labels.instance }}&var-instance={{ . | urlquery }}{{ end }}"
    "{{ with .Labels.agent }}&var-agent={{ . | urlquery }}{{ end }}"
    "{{ with .Labels.device }}&var-device={{ . | urlquery }}{{ end }}"
    f"&from={{{{ (.StartsAt.Add -{_BEFORE}).UnixMilli }}}}"
    f'&to={{{{ if eq .Status "resolved" }}}}{{{{ (.EndsAt.Add {_BEFORE}).UnixMilli }}}}{{{{ else }}}}now{{{{ end }}}}'
)
_CONSOLE = {
    "Alert": "/alerts?alert={{ .Fingerprint | urlquery }}",
    "Logs": "/logs?{{ with .Labels.agent }}agent={{ . | urlquery }}&{{ end }}level=warning"
    f"&since={{{{ (.StartsAt.Add -{_AROUND}).Unix }}}}&until={{{{ (.StartsAt.Add {_AROUND}).Unix }}}}",
    "Flamegraphs": "/flamegraphs?agent={{ .Labels.agent | urlquery }}",
}


def links(settings: Settings) -> str:
    """templates/links.tmpl: each link as a template, and all of them as text, HTML and for Slack."""
    known = _known(settings)
    parts = ["{{/* Made by generate.py from the settings; change them there. */}}"]
    for name, target in known.items():
        parts.append(f'{{{{ define "voltscope.link.{name.lower()}" }}}}{target}{{{{ end }}}}')
    text = "".join(_where(name, f"\n  {name + ':':<12} {_link(name)}") for name in known)
    html = "".join(_where(name, f'<a href="{_link(name)}">{name}</a> ') for name in known)
    slack = "".join(_where(name, f"<{_link(name)}|{name}>  ") for name in known)
    first = next((name for name in ("Alert", "Dashboard", "Runbook") if name in known), None)
    parts += [
        f'{{{{ define "voltscope.links.text" }}}}{text}{{{{ end }}}}',
        f'{{{{ define "voltscope.links.html" }}}}{html}{{{{ end }}}}',
        f'{{{{ define "voltscope.links.slack" }}}}{slack}{{{{ end }}}}',
        '{{ define "voltscope.first.link" }}'
        + (f"{{{{ with index .Alerts 0 }}}}{_link(first)}{{{{ end }}}}" if first else "{{ .ExternalURL }}")
        + "{{ end }}",
    ]
    return "\n".join(parts) + "\n"


def _known(settings: Settings) -> dict[str, str]:
    given = {name: _base(url) for name, url in settings.links.items()}
    found = {}
    if "runbooks" in given:
        found["Runbook"] = f"{given['runbooks']}/{{{{ .Labels.alertname | urlquery }}}}.md"
    if "grafana" in given:
        found["Dashboard"] = given["grafana"] + _DASHBOARD
    if "console" in given:
        found |= {name: given["console"] + path for name, path in _CONSOLE.items()}
    return found


def _base(url: str) -> str:
    for label in ("site", "instance"):
        url = url.replace(f"{{{label}}}", f"{{{{ .Labels.{label} | urlquery }}}}")
    return url.rstrip("/")


def _link(name: str) -> str:
    return f'{{{{ template "voltscope.link.{name.lower()}" . }}}}'


def _where(name: str, text: str) -> str:
    # flamegraphs are of agents
    return f"{{{{ if .Labels.agent }}}}{text}{{{{ end }}}}" if name == "Flamegraphs" else text
