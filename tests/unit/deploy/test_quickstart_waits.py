"""What the quickstart asks of a busy machine's programs: who is late, or hangs up, is asked again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from quickstart_lib import demo, prove, site_files
from quickstart_lib.account import Account
from quickstart_lib.demo_faults import BY_NAME
from quickstart_lib.failure import StepFailed
from quickstart_lib.state import Home, Ports
from servers.answering import AnsweringServer, Asked, Reply

ME = Account("me", os.geteuid(), os.getegid(), drop=False)
BUSY = Reply(503, b"busy")


def home_at(home: Home, part: Callable[[Ports], int], port: int) -> Home:
    """The home with its credentials, whose `part` listens on `port`."""
    made = Home(home.path, Ports(port - part(Ports(0))))
    site_files.write_credentials(made, ME)
    return made


def as_json(document: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(document).encode())


def test_an_alert_is_waited_for_whatever_alertd_says_meanwhile(home: Home) -> None:
    one = BY_NAME["agent-killed"]
    alert = {"name": one.alert, "labels": one.labels | {"site": "quickstart"}}
    replies = [as_json({"alerts": []}), BUSY, as_json({"alerts": [alert]}), BUSY, as_json({"alerts": []})]
    with AnsweringServer(lambda asked: replies.pop(0)) as server:
        made = home_at(home, lambda ports: ports.alertd, server.server.server_port)
        assert demo._await_firing(made, one) == alert
        demo._await_over(made, one)
    assert replies == []


class Profiler:
    """Knows no agent yet when it is asked first, and is late with the picture."""

    def __init__(self, home: Home, state: str = "done") -> None:
        self.folder, self.state, self.busy = (
            home.volttron / "voltscope" / "profiler",
            state,
            {"/api/captures", "/captures/c.svg"},
        )

    def __call__(self, asked: Asked) -> Reply:
        if asked.path in self.busy:
            self.busy.remove(asked.path)
            return BUSY
        if asked.path == "/api/captures":
            self.folder.mkdir(parents=True)
            (self.folder / "c.folded.gz").touch()
            return as_json({"id": "c"}, 202)
        if asked.path == "/api/captures/c":
            return as_json({"state": self.state, "error": {"message": "It is gone.", "remedy": "Start it."}, "id": "c"})
        return Reply(200, b"<svg" if asked.path.endswith("svg") else b"main (historian.py:1) 5")


def test_a_profiler_that_knows_no_agent_yet_is_asked_again(home: Home) -> None:
    with AnsweringServer(Profiler(home)) as server:
        made = home_at(home, lambda ports: ports.profiler, server.server.server_port)
        assert prove.profiled(made) == f"{server.url}/captures/c.svg"


def test_a_capture_that_failed_is_told_at_once(home: Home) -> None:
    with AnsweringServer(Profiler(home, "failed")) as server:
        made = home_at(home, lambda ports: ports.profiler, server.server.server_port)
        with pytest.raises(StepFailed, match=r"It is gone\.") as failed:
            prove.profiled(made)
    assert failed.value.remedy == "Start it."
