"""What the profiler sends elsewhere, over real connections."""

from __future__ import annotations

import json
import time
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from http_peer import HttpPeer
from profiling_rig import StartAgent
from test_flamegraph import PLAIN, capture_of
from waiting import until

from voltscope.outbound.circuit import Circuit
from voltscope.profiling.annotations import Annotator, annotation
from voltscope.profiling.archive import Archive
from voltscope.profiling.backends.base import Kind
from voltscope.profiling.backends.pyspy import PySpy
from voltscope.profiling.capture import iso_utc
from voltscope.profiling.engine import ProfilerEngine
from voltscope.profiling.pyroscope.push import WindowPusher
from voltscope.profiling.settings import GrafanaSettings, PyroscopeSettings
from voltscope.profiling.windows import Series, Window, Windows
from voltscope.ulid import new_ulid

pytestmark = pytest.mark.skipif(not PySpy().available(), reason="py-spy is not installed")

HISTORIAN = Series("campus", "p 1", "platform.historian", Kind.CPU, "py-spy")


def test_windows_are_pushed_in_order_and_none_is_left_out(windows: Windows) -> None:
    now = round(time.time() * 1000)
    stacks = {("main (a.py:1)", "dumps (json/__init__.py:231)"): 19}
    with HttpPeer(status=503) as server:
        settings = PyroscopeSettings(urls=(server.url,), tenant="buildings")
        pusher = WindowPusher(windows, settings, Circuit(0.05, 0.1))
        for minute in range(3):
            windows.keep(Window(HISTORIAN, now + minute * 60_000, 60_000, 19.0, 19, 0), stacks)
        pusher.start()
        until(lambda: pusher.status()["failure"])
        server.status = 200
        until(lambda: pusher.status()["waiting"] == 0)
        pusher.stop()
        taken = server.requests[-3:]
        asked = [urllib.parse.parse_qs(urllib.parse.urlsplit(one.path).query) for one in taken]
        assert [one["from"] for one in asked] == [[str((now + n * 60_000) // 1000)] for n in range(3)]
        assert asked[0]["name"] == ["platform.historian.cpu{site=campus,instance=p 1,backend=py-spy}"]
        assert asked[0]["sampleRate"] == ["19"]
        assert taken[0].headers["X-Scope-OrgID"] == "buildings"
        assert taken[0].body == b"main (a.py:1);dumps (json/__init__.py:231) 19\n"
        before = len(server.requests)
        windows.keep(Window(HISTORIAN, now + 180_000, 60_000, 19.0, 19, 0), stacks)
        again = WindowPusher(windows, settings, Circuit(0.05, 0.1))  # after a restart it goes on where it was
        again.start()
        until(lambda: again.status()["waiting"] == 0)
        again.stop()
        assert len(server.requests) == before + 1


def test_a_window_the_server_will_never_take_holds_up_no_other(windows: Windows) -> None:
    with HttpPeer(status=422) as server:
        pusher = WindowPusher(windows, PyroscopeSettings(urls=(server.url,)), Circuit(0.05, 0.1))
        windows.keep(Window(HISTORIAN, 1000, 60_000, 19.0, 19, 0), {("a",): 1})
        pusher.start()
        until(lambda: (pusher.status()["refused"], pusher.status()["waiting"]) == (1, 0))
        pusher.stop()


def test_captures_annotate_grafana(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("glsa_secret\n")
    token.chmod(0o600)
    archive = Archive(tmp_path / "archive")
    now = time.time()
    recent = capture_of(PLAIN, id=new_ulid(now), started=iso_utc(now), agent="a<b>", reason="alert:VolttronAgentBusy")
    old = capture_of(PLAIN, id=new_ulid(now - 10**6), started=iso_utc(now - 10**6))
    with HttpPeer(status=500) as server:
        settings = GrafanaSettings(
            urls=(server.url,), token_file=str(token), dashboard="abc", tags=("hvac",), console="http://c.example/"
        )
        annotator = Annotator(archive, settings, lambda: "http://p", Circuit(0.05, 0.1))
        annotator.start()
        for one in (old, recent):
            archive.keep(one, PLAIN)
            annotator.notice()
        until(lambda: annotator.status()["failure"])
        server.status = 200
        until(lambda: annotator.status()["sent"] == 1)
        annotator.stop()
        assert annotator.status()["waiting"] == 0
        (taken,) = [json.loads(one.body) for one in server.requests[-1:]]
        assert server.requests[-1].path == "/api/annotations"
        assert server.requests[-1].headers["Authorization"] == "Bearer glsa_secret"
    assert taken["timeEnd"] - taken["time"] == 5000
    assert taken["tags"] == ["voltscope", "capture", "a<b>", "s", "i", "alert:VolttronAgentBusy", "hvac"]
    assert taken["dashboardUID"] == "abc"
    assert taken["text"].startswith("Capture of a&lt;b&gt;: Busy in 100")
    assert f"http://c.example/flamegraphs?agent=a%3Cb%3E&amp;id={recent.id}" in taken["text"]
    assert (
        f"http://p/captures/{recent.id}.svg"
        in annotation(recent, GrafanaSettings(urls=("http://g",)), "http://p")["text"]
    )
    archive.close()


def test_the_engine_says_what_goes_on(engine: ProfilerEngine, agent: StartAgent, program: Any, tmp_path: Path) -> None:
    agent(program.BUSY, "busy")
    with HttpPeer() as server:
        credentials = str(tmp_path / "credentials.json")
        engine.configure(
            {
                "port": 0, "credentials": credentials, "continuous": {"agents": ["busy"], "window_s": 1},
                "pyroscope": {"urls": [server.url]}, "grafana": {"urls": [server.url]},
            }
        )  # fmt: skip
        until(lambda: engine.handle("status", {})["pyroscope"]["sent"] >= 1)
        engine.handle("profile", {"agent": "busy", "seconds": 1})
        until(lambda: engine.handle("status", {})["grafana"]["sent"] == 1)
        families = engine.handle("metrics", {})
        assert {"voltscope_continuous_windows_total", "voltscope_profiler_pyroscope_sent_total"} <= {
            family["name"] for family in families
        }
        document = (Path(__file__).parents[3] / "docs/exporting.md").read_text()
        for family in families:
            labels = ", ".join(f"`{label}`" for label in family["samples"][0]["labels"]) or "–"
            assert f"| `{family['name']}` | {family['type']} | {labels} |" in document
        engine.configure({"port": 0, "credentials": credentials})
        until(lambda: not engine.handle("status", {})["continuous"])
        assert engine.handle("status", {})["pyroscope"] is None
