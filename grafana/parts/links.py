"""Where one goes from here: other dashboards and the console, at the same platform, agent and time."""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.models import dashboard as model

TAG = "voltscope"
# Of dashboards where several platforms, or all, may be chosen.
SEVERAL = "voltscope-several"
TIME = "${__url_time_range}"
SECONDS = "since=${__from:date:seconds}&until=${__to:date:seconds}"
KIBANA_TIME = "_g=(time:(from:'${__from:date:iso}',to:'${__to:date:iso}'))"


@dataclass(frozen=True)
class Link:
    """A link of a value or of a series."""

    title: str
    url: str
    new_tab: bool = False

    def build(self) -> dict[str, object]:
        """As a panel's field takes it; the SDK's link is a dashboard's, with more than belongs here."""
        return {"title": self.title, "url": self.url, "targetBlank": self.new_tab}


def to_dashboard(title: str, uid: str, **variables: str) -> Link:
    """To another dashboard, with the time range and these variables.

    A value is `__labels.NAME`, a label of the series; `__fields.NAME`, a column of the row; or `$variable`.
    """
    parts = [f"var-{name}={_value(text)}" for name, text in variables.items()]
    return Link(title, "/d/" + uid + "?" + "&".join([*parts, TIME]))


def _value(text: str) -> str:
    kind, _, name = text.rpartition(".")
    source = {"__labels": f"__field.labels.{name}", "__fields": f"__data.fields.{name}"}.get(kind, name.lstrip("$"))
    return f"${{{source}:percentencode}}"


# In a graph or timeline a series knows its labels; in a table a row its fields.
SERIES_AGENT = to_dashboard(
    "Agent ${__field.labels.agent}", "voltscope-agent", site="$site", instance="$instance", agent="__labels.agent"
)
SERIES_PLATFORM = to_dashboard(
    "Platform ${__field.labels.instance}", "voltscope-platform", site="__labels.site", instance="__labels.instance"
)
ROW_PLATFORM = to_dashboard("Platform", "voltscope-platform", site="__fields.Site", instance="__fields.Instance")
ROW_AGENT = to_dashboard(
    "Agent",
    "voltscope-agent",
    site="__fields.Site",
    instance="__fields.Instance",
    agent="__fields.Agent",
)
ROW_AGENT_HERE = to_dashboard("Agent", "voltscope-agent", site="$site", instance="$instance", agent="__fields.Agent")
ROW_DEVICE = to_dashboard(
    "Device",
    "voltscope-devices",
    site="__fields.Site",
    instance="__fields.Instance",
    device="__fields.Device",
)
# Records, profiles and live views are of the console's own platform: it says so when the address names another.
_HERE = "site=${site:percentencode}&instance=${instance:percentencode}"
_AGENT = "agent=${agent:percentencode}&" + _HERE
CONSOLE_AGENT = Link("Agent in the console", f"${{console}}/agent?{_AGENT}&{SECONDS}", new_tab=True)
CONSOLE_LOGS = Link("Log records in the console", f"${{console}}/logs?{_AGENT}&{SECONDS}", new_tab=True)
CONSOLE_PROFILES = Link(
    "Flame graphs in the console", f"${{console}}/flamegraphs?view=range&{_AGENT}&{SECONDS}", new_tab=True
)
CONSOLE_CAPTURE = Link("Capture now", f"${{console}}/flamegraphs?{_AGENT}", new_tab=True)
CONSOLE_COMPARE = Link(
    "Compare in the console", f"${{console}}/flamegraphs?view=compare&{_AGENT}&back=${{before}}&{SECONDS}", new_tab=True
)
CONSOLE_LIVE = Link("Live view", f"${{console}}/live?{_AGENT}", new_tab=True)
CONSOLE_LOGS_OF_ALL = Link("Log records in the console", f"${{console}}/logs?{_HERE}&{SECONDS}", new_tab=True)
# what is chosen, in the console's language: ("a" OR "b"), or * for all
CONSOLE_RECORDS = Link(
    "Search in the console",
    "${console}/logs?q=agent:${agent:lucene}%20and%20level:${level:lucene}&" + SECONDS,
    new_tab=True,
)
CONSOLE = Link("Console", "${console}/", new_tab=True)


def to_kibana(title: str, page: str, query: str) -> Link:
    """To `page` of Kibana or OpenSearch Dashboards, of the same time, with a query in Lucene's syntax."""
    asked = query.replace(" ", "%20").replace('"', "%22")
    state = f"query:(language:lucene,query:'{asked}')"
    if page == "discover":
        return Link(title, f"${{kibana}}/app/discover#/?{KIBANA_TIME}&_a=(index:'voltscope-logs',{state})", True)
    return Link(title, f"${{kibana}}/app/dashboards#/view/{page}?{KIBANA_TIME}&_a=({state})", new_tab=True)


_PLATFORM = 'labels.site:"${site:percentencode}" AND labels.instance:"${instance:percentencode}"'
KIBANA_PLATFORM = to_kibana("Kibana", "voltscope-platform", _PLATFORM)
KIBANA_AGENT = to_kibana("Log records in Kibana", "discover", _PLATFORM + ' AND service.name:"${agent:percentencode}"')
KIBANA_RECORDS = to_kibana(
    "Search in Kibana",
    "discover",
    "labels.site:${site:lucene} AND labels.instance:${instance:lucene} AND service.name:${agent:lucene} "
    "AND log.level:${level:lucene} AND (${text:percentencode})",
)


def among_dashboards(several: bool) -> model.DashboardLink:
    """The menu of our dashboards, which takes time range and variables along.

    `several`: from one where several platforms may be chosen, to those alone: where there is to be one, Grafana keeps
    an All that it is given, and finds nothing. Rows and series lead to one platform.
    """
    return model.DashboardLink(
        title="voltscope",
        type_val=model.DashboardLinkType.DASHBOARDS,
        icon="external link",
        tooltip=f"The other dashboards, for the same platform{'s' if several else ''} and time",
        tags=[SEVERAL if several else TAG],
        as_dropdown=True,
        include_vars=True,
        keep_time=True,
    )


def of_dashboard(link: Link) -> model.DashboardLink:
    """A link beside the dashboard's title."""
    return model.DashboardLink(
        title=link.title,
        type_val=model.DashboardLinkType.LINK,
        icon="external link",
        tooltip=link.title,
        url=link.url,
        target_blank=link.new_tab,
        # the address itself has what the other side understands
        include_vars=False,
        keep_time=not link.new_tab,
    )
