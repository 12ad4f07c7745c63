"""Live sessions within the profiler's engine: configured anew, counted, and over when it stops."""

from __future__ import annotations

from http.client import HTTPException

import pytest
from session_site import IDLE, Events, agent, begin, call, credentials, until

from voltscope.engine.registry import engine_class
from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.metrics.exported_names import Names
from voltscope.platform.bounds import bound
from voltscope.profiling.backends.pyspy import PySpy

pytestmark = pytest.mark.skipif(not PySpy().available(), reason="py-spy is not installed")


@pytest.fixture
def engine(tmp_path):
    context = EngineContext("profiler", tmp_path / "data", tmp_path, lambda timeout: FactsAnswer(None, None, "alone"))
    engine = engine_class("profiler")(context)
    engine.configure({"port": 0, "credentials": str(credentials(tmp_path))})
    engine.start()
    yield engine
    engine.stop()


def test_a_session_outlives_a_new_configuration_and_ends_with_the_engine(engine, tmp_path):
    with agent(tmp_path, IDLE):
        session = begin(engine.url, view="greenlets")
        assert (session["source"], session["exact"]) == ("py-spy", False)
        events = Events(engine.url, session["id"])
        events.until(lambda kind, data: kind == "update")
        settings = {"port": 0, "credentials": str(tmp_path / "credentials.json"), "names": ["here.example"]}
        engine.configure(settings)
        (told,) = call(engine.url, "/api/live", secret=None)[1]["sessions"]
        assert (told["id"], told["state"]) == (session["id"], "running")
        with pytest.raises((EOFError, HTTPException, OSError)):  # the listener it came over is no more
            while True:
                events.next()
        again = Events(engine.url, session["id"])
        again.until(lambda kind, data: kind == "update")
        exported, names = engine.handle("metrics", {}), Names()
        assert {names.refusal(family, ours=True) for family in bound(exported).families} == {None}
        families = {family["name"]: family["samples"] for family in exported}
        assert families["voltscope_live_sessions_running"] == [{"labels": {}, "value": 1}]
        engine.stop()
        assert again.end()["ended"] == "stopped"
    lines = (tmp_path / "data" / "audit.log").read_text()
    assert '"action": "live", "by": "operator", "via": "http", "agent": "busy", "view": "greenlets"' in lines


def test_a_session_of_the_engine_ends_with_its_agent(engine, tmp_path):
    with agent(tmp_path, IDLE):
        session = begin(engine.url, view="greenlets")
    until(lambda: call(engine.url, f"/api/live/{session['id']}")[1]["ended"] == "target-ended")
