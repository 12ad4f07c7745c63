"""A fault on the real platform: told of by alertd with what it took down, and over once it is undone."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from live_site import LiveSite, wait_for

CRASHES = ("VolttronAgentCrashed", "VolttronAgentCrashLooping")
Quickstart = Callable[..., subprocess.CompletedProcess[str]]


def test_an_agent_that_is_killed_is_told_of_explained_and_over(site: dict[str, Any], quickstart: Quickstart) -> None:
    if "alertmanager" not in site["pids"]:
        pytest.skip("this site has no Alertmanager")
    live = LiveSite(site)
    before = live.pid("listener")

    def ask(path: str, **query: str) -> Any:
        url = f"{site['alertd']}{path}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {live.secret()}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    seeded = quickstart("--home", site["home"], "demo-fault", "agent-killed")
    try:
        assert seeded.returncode == 0, seeded.stdout
        # it crashes again and again where other tests have killed it, too
        alert = next(one for one in ask("/api/alerts", agent="listener")["alerts"] if one["name"] in CRASHES)
        assert alert["annotations"]["summary"] in seeded.stdout and f"runbooks/{alert['name']}.md" in seeded.stdout
        assert (alert["severity"], alert["labels"]["site"]) == ("critical", "quickstart")
        with urllib.request.urlopen(f"{site['alertmanager']}/api/v2/alerts", timeout=30) as answer:
            known = {one["fingerprint"] for one in json.load(answer)}
        assert alert["id"] in known

        another = quickstart("--home", site["home"], "demo-fault", "device-silent")
        assert another.returncode == 1 and "agent-killed is seeded still" in another.stdout
    finally:
        cleared = quickstart("--home", site["home"], "demo-fault", "clear")
    assert cleared.returncode == 0, cleared.stdout
    wait_for(lambda: live.pid("listener") not in (None, before), what="a listener that was started again")
    assert "VolttronAgentCrashed" not in [one["name"] for one in ask("/api/alerts", agent="listener")["alerts"]]
    if alert["name"] == "VolttronAgentCrashed":
        (newest, *_) = ask("/api/history", name=alert["name"], agent="listener")["occurrences"]
        assert newest["ended"] is not None
