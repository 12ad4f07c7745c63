"""What the alerts agent can be told, and what it tells of itself, is documented."""

from __future__ import annotations

import re
from pathlib import Path

from voltscope.alerting.site.ledger import Ledger
from voltscope.alerting.site.metrics import families
from voltscope.alerting.site.publications import Publications
from voltscope.alerting.site.recovery import REASONS
from voltscope.alerting.site.sender import Sender
from voltscope.alerting.site.settings import AlertsConfig
from voltscope.alerting.site.store import Store

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_every_key_of_the_configuration_is_documented() -> None:
    text = (DOCS / "bus-alerts.md").read_text()
    assert [key for key in AlertsConfig.__struct_fields__ if f"| `{key}` |" not in text] == []


def test_every_metric_is_in_the_reference_with_its_type_and_labels(tmp_path: Path) -> None:
    store = Store(tmp_path / "alerts.sqlite")
    ledger = Ledger(store, lambda: ("north", "plant"))
    sender = Sender(ledger, AlertsConfig().alertmanager, 60.0)
    told = families(ledger, sender, Publications(store, lambda: "life"), None)
    listed = {}
    for line in (DOCS / "exporting.md").read_text().splitlines():
        if row := re.match(r"\| `(voltscope_alerts_\w+)` \| (\w+) \| ([^|]*) \|", line):
            listed[row[1]] = (row[2], set(re.findall(r"`(\w+)`", row[3])))
    assert listed == {one["name"]: (one["type"], set(one["samples"][0]["labels"])) for one in told}
    text = (DOCS / "exporting.md").read_text()
    assert all(f"`{reason}`" in text for reason in (*REASONS, *ledger.lost))
    store.close()
