"""What several rows of the dashboard share."""

from __future__ import annotations

from ...parts import variables
from ...parts.links import to_dashboard
from ...parts.queries import MANY

STALE = "No exporter is scraped."
UP = f'up{{job="{variables.JOB}",{MANY}}}'
NAME = "{{instance}}"
AGENT = to_dashboard(
    "Agent ${__field.labels.agent}",
    "voltscope-agent",
    site="__labels.site",
    instance="__labels.instance",
    agent="__labels.agent",
)
