"""Fleet: all platforms of all sites, the worst first."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from ..parts import firing, palette, variables
from ..parts.board import Row, board
from ..parts.links import ROW_PLATFORM, SERIES_PLATFORM
from ..parts.panels import HALF, QUARTER, THIRD, Column, bars, over_time, table, value
from ..parts.queries import FLEET, OURS, lines, now, rows

UP = f'up{{job="{variables.JOB}",{FLEET}}}'
FIRING = f'ALERTS{{{FLEET},{OURS},alertstate="firing"'
OF_ONE = f'{FIRING},instance!=""'  # those of all of a site have none
VANISHED = f'0 * {FIRING},alertname="VolttronSiteVanished"}}'
BY = "max by (site, instance)"
NOBODY = "No exporter is scraped: is Prometheus the right one, and the job named “voltscope”?"
CONDITION = {
    "well": (0, palette.GOOD),
    "warning": (1, palette.WARNING),
    "critical": (2, palette.CRITICAL),
    "platform down": (3, palette.CRITICAL),
    "not scraped": (4, palette.CRITICAL),
}
# The worst that is known of a platform; one whose exporter does not answer, or is gone, has no more to tell.
STATE = f"""{BY} (
  ({UP} == 0) + 4
  or {VANISHED} + 4
  or (volttron_platform_up{{{FLEET}}} == 0) + 3
  or {OF_ONE},severity="critical"}} + 1
  or {OF_ONE},severity="warning"}} + 0
  or {UP} - 1
)"""
# When its oldest alert began; where one of the whole site stands for those of its platforms, when that did.
SINCE = f"""1000 * min by (site, instance) (
  ALERTS_FOR_STATE{{{FLEET},{OURS},severity=~"critical|warning"}} and ignoring(alertstate) {OF_ONE}}}
  or 0 * ({UP} == 0) + on (site) group_left () max by (site) (
    ALERTS_FOR_STATE{{{FLEET},alertname="VolttronSiteDown"}} and ignoring(alertstate) {FIRING}}}
  )
)"""


def _are(condition: str) -> str:
    return f"count({STATE} {condition}) or 0 * count({UP})"


def dashboard() -> model.Dashboard:
    return board(
        "fleet",
        "Fleet",
        "All platforms: which are in trouble, with what, since when; the worst on top.",
        (_now(), _platforms(), _trend()),
        choose=(variables.prometheus(), variables.site(several=True)),
    )


def _now() -> Row:
    return Row(
        "Now",
        (
            value(
                "Platforms",
                "Platforms whose exporter Prometheus is to scrape.",
                now(f"count({UP})"),
                unit="short",
                none=NOBODY,
                colours=palette.fixed(),
            ),
            value(
                "Lost or down",
                "Platforms whose exporter cannot be scraped, or vanished, or says that the platform is down.",
                now(_are(">= 3")),
                unit="short",
                none=NOBODY,
                colours=palette.worse(critical=1),
            ),
            value(
                "Critical",
                "Platforms that are up, with a critical alert.",
                now(_are("== 2")),
                unit="short",
                none=NOBODY,
                colours=palette.worse(critical=1),
            ),
            value(
                "Warning",
                "Platforms with a warning and nothing worse.",
                now(_are("== 1")),
                unit="short",
                none=NOBODY,
                colours=palette.worse(warning=1),
            ),
            value(
                "Well",
                "Platforms that are up, with no critical alert and no warning.",
                now(_are("== 0")),
                unit="short",
                none=NOBODY,
                colours=palette.steps(palette.NEUTRAL, (1, palette.GOOD)),
            ),
            value(
                "Agents running",
                "On all platforms.",
                now(f'sum(instance:volttron_agents:count{{{FLEET},state="running"}})'),
                unit="short",
                none="No agent of any platform runs, or the recording rules are not loaded.",
                colours=palette.fixed(),
            ),
        ),
    )


def _platforms() -> Row:
    return Row(
        "Which, and since when",
        (
            table(
                "Platforms, the worst first",
                "A row a platform. Since: when the oldest of its critical alerts and warnings began.",
                rows(STATE),
                rows(SINCE, "B"),
                rows(f'count by (site, instance) ({OF_ONE},severity=~"critical|warning"}})', "C"),
                rows(f'{BY} (instance:volttron_agents:count{{{FLEET},state="running"}})', "D"),
                rows(
                    f'sum by (site, instance) (instance:volttron_agents:count{{{FLEET},state=~"crashed|zombie|hung"}})',
                    "E",
                ),
                rows(f"max by (site, instance, generation, version) (volttron_platform_info{{{FLEET}}})", "F"),
                rows(f"{BY} (volttron_platform_uptime_seconds{{{FLEET}}})", "G"),
                columns=(
                    Column("Value #A", "State", mappings=palette.numbered(CONDITION), width=120),
                    Column("site", "Site", links=(ROW_PLATFORM,)),
                    Column("instance", "Instance", links=(ROW_PLATFORM,)),
                    Column("Value #B", "Since", "dateTimeFromNow"),
                    Column("Value #C", "Alerts", "none", colours=palette.worse(warning=1), width=80),
                    Column("Value #E", "Broken agents", "none", colours=palette.worse(critical=1), width=120),
                    Column("Value #D", "Running", "none", width=90),
                    Column("Value #G", "Up for", "dtdurations", decimals=0),
                    Column("generation", "Generation"),
                    Column("version", "Version"),
                ),
                none=NOBODY,
                sort=("State", True),
                height=14,
            ),
            # which has no site: all of them vanished
            firing.firing(FLEET, "Firing alerts", 'alertname="VolttronExporterAbsent"', height=10),
        ),
    )


def _trend() -> Row:
    return Row(
        "How it came, and what runs",
        (
            over_time(
                "Alerts by severity",
                "Alerts that fire.",
                lines(f"count by (severity) ({FIRING}}})", "{{severity}}"),
                unit="short",
                none=firing.NONE,
                colours=palette.SEVERITY,
                stacked=True,
            ),
            over_time(
                "Platforms that cannot be scraped",
                "Exporters that do not answer, by site.",
                lines(f"count by (site) ({UP} == 0)", "{{site}}"),
                unit="short",
                none="Every exporter answers.",
                stacked=True,
            ),
            table(
                "Versions",
                "How many platforms run which version, and which voltscope.",
                rows(
                    "count by (generation, version, voltscope) (volttron_platform_info"
                    f"{{{FLEET}}} * on (job, site, instance) group_left (voltscope) "
                    f'label_replace(voltscope_build_info{{{FLEET}}}, "voltscope", "$1", "version", "(.*)"))'
                ),
                columns=(
                    Column("generation", "Generation"),
                    Column("version", "Version"),
                    Column("voltscope", "voltscope"),
                    Column("Value", "Platforms", "none"),
                ),
                none=NOBODY,
                sort=("Platforms", True),
                width=THIRD,
            ),
            bars(
                "Least disk free",
                "The five platforms with the least free on the disk of VOLTTRON_HOME.",
                now(f"bottomk(5, instance:volttron_disk_free:ratio{{{FLEET}}})", "{{site}} {{instance}}"),
                unit="percentunit",
                none="No platform tells of its disk.",
                colours=palette.better(0.15, 0.03),
                links=(SERIES_PLATFORM,),
                maximum=1,
                width=QUARTER + 2,
            ),
            bars(
                "Most processor",
                "The five platforms that use the most cores with all their agents.",
                now(f"topk(5, instance:volttron_process_cpu_seconds:rate5m{{{FLEET}}})", "{{site}} {{instance}}"),
                unit="none",
                none="No process of any platform is seen.",
                colours=palette.fixed(),
                links=(SERIES_PLATFORM,),
                width=QUARTER + 2,
            ),
            over_time(
                "Memory of platforms",
                "With all their agents; the ten that use most now.",
                lines(
                    f"instance:volttron_process_memory_bytes:sum{{{FLEET}}} and on (site, instance) "
                    f"topk(10, instance:volttron_process_memory_bytes:sum{{{FLEET}}} @ end())",
                    "{{site}} {{instance}}",
                ),
                unit="bytes",
                none="No process of any platform is seen.",
                links=(SERIES_PLATFORM,),
                width=HALF,
            ),
            over_time(
                "Agents",
                "Agents of all platforms, by state.",
                lines(f"sum by (state) (instance:volttron_agents:count{{{FLEET}}})", "{{state}}"),
                unit="short",
                none="The recording rules are not loaded.",
                colours={name: colour for name, (_, colour) in palette.STATES.items()},
                stacked=True,
                width=HALF,
            ),
        ),
    )
