"""Makes the quickstart's package importable, and gives homes and package indices to try it on."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers.answering import AnsweringServer, Asked, Reply

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "deploy"))

from quickstart_lib.state import Home, Ports

JSON = "application/vnd.pypi.simple.v1+json"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with its folders, and nothing in it."""
    made = Home(tmp_path / "home", Ports(21930))
    for folder in (made.path, made.etc, made.bin, made.volttron, made.run, made.logs):
        folder.mkdir()
    return made


@pytest.fixture
def package_index() -> Iterator[Callable[[bool], str]]:
    """Starts a package index on loopback; `True` for one that answers JSON (PEP 691) when asked, `False` for HTML."""
    with contextlib.ExitStack() as servers:

        def start(json: bool) -> str:
            def answer(asked: Asked) -> Reply:
                status = 200 if asked.path == "/simple/gevent/" else 404
                if json and JSON in asked.headers.get("Accept", ""):
                    return Reply(status, b'{"name": "gevent", "files": []}', {"Content-Type": JSON})
                return Reply(status, b"<html></html>", {"Content-Type": "text/html"})

            return f"{servers.enter_context(AnsweringServer(answer)).url}/simple"

        yield start
