"""Provisioning files: the data sources dashboards ask for, and the folder they are found in."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml
from dashboard_queries import FILES, ROOT

PROVISIONING = ROOT / "grafana/provisioning"


def written(path: str) -> Any:
    return yaml.safe_load((PROVISIONING / path).read_text())


def test_there_is_a_data_source_of_every_kind_that_dashboards_ask() -> None:
    sources = written("datasources/voltscope.yaml")["datasources"]
    assert len({one["uid"] for one in sources}) == len({one["name"] for one in sources}) == len(sources)
    asked = set()
    for path in FILES.values():
        for variable in json.loads(path.read_text())["templating"]["list"]:
            if variable["type"] == "datasource":
                asked.add(variable["query"])
    assert {one["type"] for one in sources} == asked | {"alertmanager"}
    metrics = next(one for one in sources if one["type"] == "prometheus")
    assert metrics["jsonData"]["alertmanagerUid"] in {one["uid"] for one in sources}


def test_a_record_leads_to_the_console_with_a_value_that_provisioning_leaves_alone() -> None:
    text = (PROVISIONING / "datasources/voltscope.yaml").read_text()
    # a single $ would be taken for a variable of the environment
    assert re.findall(r"\$+", text.replace("$__rate_interval", "")) == ["$$", "$$"]


def test_dashboards_are_provisioned_into_a_folder_of_their_own() -> None:
    (provider,) = written("dashboards/voltscope.yaml")["providers"]
    assert provider["type"] == "file" and provider["folder"] == provider["folderUid"] == "voltscope"
    assert provider["options"]["path"] in (ROOT / "grafana/README.md").read_text()
