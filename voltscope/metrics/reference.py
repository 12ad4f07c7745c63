"""Writes docs/metrics.md, the reference of every metric, from the families declared in the code."""

from __future__ import annotations

import sys
from pathlib import Path

from voltscope.alerting.metrics import FAMILIES as ALERTD
from voltscope.metrics.collectors import collectors
from voltscope.metrics.exposition import declared
from voltscope.metrics.families import Family

_HEAD = """# Metrics

Made by `python -m voltscope.metrics.reference` from the code; change it there.

Every series also carries `site` and `instance`, which Prometheus sets by relabelling. `agent` is the VIP identity; the
platform's own process has `agent="platform"`. A label value longer than 120 characters, or with characters that cannot
be shown, is shortened and ends in `~` and a hash of the whole.

The exporter answers at `/metrics`; `/metrics?collect[]=agents&collect[]=health` asks for these collectors only. A
scrape is never lost to a slow collector: what it found before stands in where that is honest
(`voltscope_collector_age_seconds`), else its series are missing (`voltscope_collector_success`). TLS, users and rate
limits: [web configuration](web-configuration.md).

What agents export themselves, the log shipper and the profiler among them, is in [exporting.md](exporting.md).

A forward historian has a cache like every historian: what waits in it, and since when, is with the historians' metrics.
Modular's, when its destination cannot be reached, may stop answering altogether: it is then hung, and its cache tells.

The canary is off until the exporter's configuration says `{"canary": true}` (`vctl config store voltscope.exporter
config FILE --json`; no restart). Its bridge then publishes a stamped record each minute on
`datalogger/voltscope/canary/IDENTITY`, every historian with a SQLite store is looked through for it, and
`volttron_historian_canary_age_seconds` says how old the newest one found is: bus, subscription, cache and store in one
figure. It adds a row a minute to each historian.

## Configuration

Of the agent, beside `engine`: `vctl config store voltscope.exporter config FILE --json`, at any time.

| key | default | meaning |
|---|---|---|
| `rpc_timeout_s` | 2 | how long an agent or a service of the platform has to answer |
| `health_interval_s` | 10 | how often each agent is asked for its health; slow and silent ones less often |
| `canary` | false | see above |
| `interpreter`, `data_dir` | the platform's Python, `VOLTTRON_HOME/voltscope/exporter` | of the engine |

Of the engine, below `engine`, or alone in the file of an engine under systemd:

| key | default | meaning |
|---|---|---|
| `host`, `port` | `127.0.0.1`, 10933 | where HTTP listens; elsewhere only with `credentials` or `web_config_file` |
| `names` | `[]` | host names allowed besides loopback's |
| `credentials` | none | the [credential file](console.md#who-may-do-what) |
| `certificate`, `key` | none | PEM files that turn TLS on |
| `web_config_file` | none | TLS, client certificates, users, rate limit: [web configuration](web-configuration.md) |
| `disabled_collectors` | `[]` | collectors that are not run |
| `collector_timeout_s` | 5 | how long the collectors of a scrape may take |
| `facts_timeout_s`, `facts_fresh_s` | 2, 30 | how long the agent may take to tell its facts, and when they are stale |
"""

_ALERTD = """
## alertd

At `/metrics` of [alertd](alerting.md#alertd), a target of its own beside Alertmanager. Those of MQTT are there where a
broker is configured, `voltscope_alertd_direct_total` where a dead man's switch is.

| metric | type | labels | meaning |
|---|---|---|---|
"""


def text() -> str:
    """The whole document."""
    kinds = collectors()
    parts = [_HEAD]
    for name, families in declared().items():
        about = kinds[name].help if name in kinds else "The exporter itself."
        parts += [f"\n## {name}\n\n{about}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n"]
        parts += [_row(family) for family in families]
    parts += [_ALERTD, *(_row(family) for family in ALERTD)]
    return "".join(parts)


def _row(family: Family) -> str:
    labels = ", ".join(
        f"`{label}` ({', '.join(family.values[label])})" if label in family.values else f"`{label}`"
        for label in family.labels
    )
    return f"| `{family.name}` | {family.kind} | {labels or '–'} | {family.help} |\n"


def main() -> None:
    """Write to the file named as the only argument, by default docs/metrics.md below the current directory."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/metrics.md")
    path.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
