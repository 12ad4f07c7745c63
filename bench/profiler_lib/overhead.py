"""How soon after its recording a picture is there: asked for over HTTP, over the bus, and in the console."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from metrics_lib.figures import figure
from metrics_lib.live import running_site

if TYPE_CHECKING:
    from live_site import LiveSite

AGENT, SECONDS, COUNT = "platform.historian", 2, 7


def measure(home: Path | None, quick: bool) -> Iterator[dict[str, Any]]:
    """The worst of the three ways, each the slowest of some captures."""
    of = f"from request to picture less the {SECONDS} s of recording, slowest of {COUNT} over HTTP, RPC and console"
    if home is None:
        yield figure("request_overhead_s", None, "s", "< 0.5", of, "needs --home of a quickstart")
        return
    site = running_site(home)
    headers = {"Authorization": f"Bearer {site.secret()}"}
    with httpx.Client(base_url=site["profiler"], headers=headers, trust_env=False, timeout=60) as client:
        over_http = [_asked(client) for _ in range(COUNT)]
    with site.console() as console:
        in_console = [_asked(console) for _ in range(COUNT)]
    ways = {"HTTP": over_http, "RPC": _over_vip(site), "console": in_console}
    worst = {name: max(times) - SECONDS for name, times in ways.items()}
    said = ", ".join(f"{name} {seconds:.2f}" for name, seconds in worst.items())
    yield figure("request_overhead_s", max(worst.values()), "s", "< 0.5", f"{of}: {said}")


def _asked(client: httpx.Client) -> float:
    began = time.perf_counter()
    capture = _done(client.post("/api/captures", json={"agent": AGENT, "seconds": SECONDS}).raise_for_status, client)
    client.get(f"/captures/{capture['id']}.svg").raise_for_status()
    return time.perf_counter() - began


def _done(begin: Callable[[], httpx.Response], client: httpx.Client) -> dict[str, Any]:
    capture: dict[str, Any] = begin().json()
    while capture["state"] == "recording":
        time.sleep(0.02)
        capture = client.get(f"/api/captures/{capture['id']}").raise_for_status().json()
    if capture["state"] != "done":
        raise RuntimeError(f"the capture failed: {capture['words']}")
    return capture


def _over_vip(site: LiveSite) -> list[float]:
    environment = {
        "PATH": f"{site.venv}/bin:/usr/bin:/bin", "VOLTTRON_HOME": str(site.home), "VIRTUAL_ENV": site.venv,
        "HOME": site.user_home,
    }  # fmt: skip
    done = subprocess.run(
        [f"{site.venv}/bin/python3", "-", AGENT, str(SECONDS), str(COUNT)],
        input=Path(__file__).with_name("vip_profile.py").read_text(), capture_output=True, text=True, cwd=site.home,
        env=environment, timeout=300, extra_groups=[] if site._user else None, check=True, **site._user,
    )  # fmt: skip
    times: list[float] = json.loads(done.stdout.splitlines()[-1])
    return times
