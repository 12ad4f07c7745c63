"""The tree of routes: by severity and by what failed, so that one cause is one notification."""

from __future__ import annotations

from typing import Any

from .settings import Settings

# Told by its own route: a site, a platform, the bus, or agents that went down together.
SITE_WIDE = ("VolttronSiteDown", "VolttronSiteVanished", "VolttronExporterAbsent")
PLATFORM_WIDE = (
    "VolttronExporterDown",
    "VolttronPlatformDown",
    "VoltscopeExporterBlind",
    "VolttronBusProbeFailing",
    "VolttronManyAgentsDown",
)
WORKING_HOURS = "working-hours"

# The first word comes 10 s after the first alert of its group; what is new there, and that it is over, after the
# interval. Agents come and go more often than platforms do.
_URGENT = {"group_wait": "10s", "group_interval": "5m", "repeat_interval": "12h"}
_MOST_URGENT = {**_URGENT, "group_interval": "1m"}
_PATIENT = {"group_wait": "30s", "group_interval": "10m", "repeat_interval": "72h"}


def names(*alerts: str) -> str:
    """A matcher for any of `alerts`."""
    return f'alertname=~"{"|".join(alerts)}"'


def route(settings: Settings) -> dict[str, Any]:
    """The whole tree. What nothing matches, such as a site's own rules, is told as a warning."""
    return {
        "receiver": "warning",
        "group_by": ["site", "instance", "alertname"],
        **_PATIENT,
        "routes": [
            *_watchers(settings),
            _people(
                settings,
                "info",
                "Worth knowing when you look: nobody is told, unless a receiver asks for it.",
                ['severity="info"'],
                ["site"],
                {"group_wait": "5m", "group_interval": "4h", "repeat_interval": "72h"},
            ),
            _people(
                settings,
                "critical",
                "A whole site, however many platforms it has.",
                [names(*SITE_WIDE)],
                ["site"],
                _MOST_URGENT,
            ),
            _people(
                settings,
                "critical",
                "A platform that died, its exporter, its bus, or several of its agents: one notification.",
                [names(*PLATFORM_WIDE)],
                ["site", "instance"],
                _MOST_URGENT,
            ),
            _people(
                settings,
                "critical",
                "All about one agent together, and no agent waits for another.",
                ['severity="critical"', 'agent=~".+"'],
                ["site", "instance", "agent"],
                _URGENT,
            ),
            _people(settings, "critical", "", ['severity="critical"'], ["site", "instance", "alertname"], _URGENT),
            _people(
                settings, "warning", "It will fail, if nobody looks.", [], ["site", "instance", "alertname"], _PATIENT
            ),
        ],
    }


def _watchers(settings: Settings) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "#": "Always fires: told every minute to those who complain when it stops.",
            "matchers": ['alertname="Watchdog"'],
            "receiver": "heartbeat",
            "group_by": ["alertname"],
            "group_wait": "0s",
            "group_interval": "1m",
            "repeat_interval": "1m",
        }
    ]
    if settings.alertd:
        found.append(
            {
                "#": "alertd keeps the history of everything, and hands it on by MQTT where it is told to.",
                "receiver": "history",
                "continue": True,
                "group_by": ["..."],
                "group_wait": "0s",
                "group_interval": "1m",
                "repeat_interval": "12h",
            }
        )
    return found


def _people(
    settings: Settings, severity: str, about: str, matchers: list[str], group_by: list[str], pace: dict[str, str]
) -> dict[str, Any]:
    found: dict[str, Any] = {"#": about} if about else {}
    if matchers:
        found["matchers"] = matchers
    found |= {"receiver": severity, "group_by": group_by, **pace}
    if severity in settings.working_hours.severities:
        found["active_time_intervals"] = [WORKING_HOURS]
    own = [
        {
            "matchers": [f'site="{_quoted(site)}"'],
            "receiver": receiver_name(severity, site),
            # a child does not inherit when its parent speaks
            **({"active_time_intervals": [WORKING_HOURS]} if "active_time_intervals" in found else {}),
        }
        for site in settings.sites
    ]
    return found | ({"routes": own} if own else {})


def receiver_name(severity: str, site: str | None) -> str:
    """The receiver of a severity, of a site that has others than the rest."""
    return severity if site is None else f"{severity} at {site}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
