"""Where a record leads: into voltscope's console and Grafana, to the same site, agent and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kibana.saved_objects import View

CONSOLE = "http://127.0.0.1:10935"
GRAFANA = "http://127.0.0.1:3000"
BEFORE_S, AFTER_S = 1800, 600

# Which parameters name a record's site, instance, agent, and the time around it, in seconds or thousandths of one.
Around = Literal["console", "grafana"]
_NAMES: dict[Around, tuple[str, str, str]] = {
    "console": ("site", "instance", "agent"),
    "grafana": ("var-site", "var-instance", "var-agent"),
}
_TIMES: dict[Around, tuple[str, str, int]] = {"console": ("since", "until", 1), "grafana": ("from", "to", 1000)}


@dataclass(frozen=True)
class Addresses:
    """Base URLs as the users' browsers reach them; `grafana`: None where there is none."""

    console: str = CONSOLE
    grafana: str | None = GRAFANA


@dataclass(frozen=True)
class Link:
    """A field that is made when a record is shown. `of`: the field it needs; `around`: more goes into the address."""

    name: str
    of: str
    label: str
    path: str
    around: Around | None = None

    def template(self, at: Addresses) -> str | None:
        """The address with a place for the field's value; None where there is nothing to lead to."""
        base = at.grafana if self.around == "grafana" else at.console
        return None if base is None else base.rstrip("/") + self.path

    @property
    def runtime(self) -> str:
        """Painless, of a runtime field in Kibana, which is also a derived field of OpenSearch."""
        return f"{self._before}{value_of(self.of)} {{ emit({self._made}) }}"

    @property
    def scripted(self) -> str:
        """Painless, of a scripted field in OpenSearch Dashboards, which has no runtime fields."""
        return f"{self._before}{value_of(self.of)} {{ return {self._made} }} return ''"

    @property
    def _made(self) -> str:
        if self.around is None:
            return f"doc['{self.of}'].value"
        site, instance, agent = _NAMES[self.around]
        since, until, times = _TIMES[self.around]
        at = "doc['@timestamp'].value.toInstant().toEpochMilli() / 1000"
        return (
            f"part('{site}', doc, 'labels.site') + part('{instance}', doc, 'labels.instance') "
            f"+ part('{agent}', doc, 'service.name') "
            f"+ '{since}=' + ({at} - {BEFORE_S}) * {times} + '&{until}=' + ({at} + {AFTER_S}) * {times}"
        )

    @property
    def _before(self) -> str:
        return "" if self.around is None else _PART


# A parameter of an address, encoded where it would end or change it; nothing where the record has no such field.
_PART = (
    "String part(String name, Map of, String field) { "
    "if (!of.containsKey(field) || of[field].size() == 0) { return '' } "
    "return name + '=' + of[field].value.replace('%', '%25').replace('&', '%26').replace('#', '%23')"
    ".replace('+', '%2B').replace(' ', '%20').replace('\"', '%22') + '&' } "
)


def value_of(field: str) -> str:
    """Painless: the field's one value; documents that have none are passed over."""
    return f"if (doc.containsKey('{field}') && doc['{field}'].size() > 0)"


LOGS = View("voltscope-logs", "voltscope-logs-*")
PROFILES = View("voltscope-profiles", "voltscope-profiles-*")

# The console takes `since=3650d` for all the time there is.
_AGENT = (
    Link("agent_in_console", "service.name", "its agent at this time", "/agent?{{rawValue}}", "console"),
    Link("agent_in_grafana", "service.name", "its agent in Grafana", "/d/voltscope-agent?{{rawValue}}", "grafana"),
    Link("flamegraphs", "service.name", "flamegraphs of {{value}}", "/flamegraphs?agent={{value}}"),
)
LINKS: dict[str, tuple[Link, ...]] = {
    LOGS.id: (Link("in_console", "event.id", "this record", "/logs?q=id%3D{{value}}&since=3650d"), *_AGENT),
    PROFILES.id: (
        Link("flamegraph", "event.id", "flamegraph", "/captures/{{value}}.svg"),
        Link(
            "speedscope",
            "event.id",
            "speedscope",
            "/speedscope/index.html#profileURL=%2Fcaptures%2F{{value}}.speedscope.json",
        ),
        Link("logged", "service.name", "what it logged then", "/logs?{{rawValue}}", "console"),
        *_AGENT,
    ),
}
