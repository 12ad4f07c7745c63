"""What holds for every test, and the peer that several rooms share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from servers.missing import PeerMissing, without
from servers.opensearch.node import OpenSearch

_ROOT = Path(__file__).resolve().parents[1]
# Rooms of which a process has all tests or none.
_SHARING = {"console", "e2e", "grafana", "live", "monolithic"}
# The platform of the end-to-end suite is waited for most of the time.
_LONGEST = ("e2e", "opensearch", "console", "live")
_SHARED = ExitStack()


def pytest_configure() -> None:
    """Undo an ignored SIGINT: a shell without job control gives it to what it starts in the background.

    Whatever the tests start would inherit it, and could be stopped neither by Ctrl-C nor by those who send SIGINT.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share the units out among the processes of a parallel run, whole: what a unit's tests start, they share."""
    from xdist.scheduler import LoadScopeScheduling

    class UnitScheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return _unit(nodeid)

    return UnitScheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have the tests of a unit one after another; a parallel run begins with the units that take longest."""
    parallel = hasattr(config, "workerinput")
    found = dict.fromkeys(_unit(item.nodeid) for item in items)
    units = sorted(found, key=lambda unit: _LONGEST.index(unit) if parallel and unit in _LONGEST else len(_LONGEST))
    place = {unit: number for number, unit in enumerate(units)}
    items.sort(key=lambda item: place[_unit(item.nodeid)])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """What the tests of a unit share is stopped after the last of them: others need the processor."""
    yield
    if nextitem is None or _unit(nextitem.nodeid) != _unit(item.nodeid):
        _SHARED.close()


@pytest.fixture(scope="session")
def shared() -> Iterator[ExitStack]:
    """What is entered here is left after the last test of the unit."""
    with _SHARED:  # after a run that was broken off
        yield _SHARED


@pytest.fixture(scope="session")
def opensearch(shared: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> OpenSearch:
    """A node that all tests share: each uses indices of its own name."""
    try:
        node = OpenSearch(tmp_path_factory.mktemp("opensearch"))
    except PeerMissing as error:
        without(error)
    node.start()
    shared.callback(node.stop)
    return node


@cache
def _unit(nodeid: str) -> str:
    """What is run by one process: a room whose tests share a site or a browser, all tests that share the one
    OpenSearch, or a file.
    """
    file = nodeid.split("::")[0]
    parts = file.split("/")
    room = parts[2] if parts[1] == "unit" else parts[1]
    if room in _SHARING:
        return room
    return "opensearch" if "opensearch: OpenSearch" in _source(file) else file


@cache
def _source(file: str) -> str:
    return (_ROOT / file).read_text()
