"""The platform of the end-to-end suite: what `deploy/quickstart` brings up, once, exactly as a user gets it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from live_site import Documents
from servers.missing import PeerMissing, without
from servers.opensearch.node import classpath

ROOT = Path(__file__).resolve().parents[2]
QUICKSTART = ROOT / "deploy" / "quickstart"
# Of each log of a site on which a test failed.
_SHOWN_BYTES = 8_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the platform, and bringing it up takes longer than one test may."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if not any(item.iter_markers("timeout")):
                item.add_marker(pytest.mark.timeout(900))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows the ends of the site's logs: its home is gone when somebody reads of it."""
    report = yield
    site = getattr(item, "funcargs", {}).get("site")
    if report.failed and site:
        for log in (Path(site["log"]), *sorted((Path(site["home"]) / "log").glob("*.*"))):
            with contextlib.suppress(OSError):
                report.sections.append((f"end of {log.name}", _end(log)))
    return report


def _end(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _SHOWN_BYTES))
        return file.read().decode(errors="replace")


@pytest.fixture(scope="session")
def quickstart() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `deploy/quickstart` with the arguments given; its output is in the result."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(QUICKSTART), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=840)

    return run


@pytest.fixture(scope="session")
def site(shared: ExitStack, quickstart: Callable[..., subprocess.CompletedProcess[str]]) -> dict[str, Any]:
    """`quickstart status --json` of a running home; stopped and removed at the end.

    VOLTSCOPE_E2E_HOME names the home of a running quickstart to use instead, which is left as it is.
    """
    given = os.environ.get("VOLTSCOPE_E2E_HOME")
    if given:
        return _status(quickstart, given)
    if shutil.which("prometheus") is None:
        without("prometheus is not on PATH")
    try:
        classpath()
        options = ["--with-opensearch"]
    except PeerMissing as error:
        if os.environ.get("CI"):
            without(error)
        options = []  # its tests alone are skipped
    # Below /var/tmp with a short name: the platform's sockets lie below it, and the user it runs as must reach it.
    folder = Path(tempfile.mkdtemp(prefix="vs-e2e-", dir="/var/tmp"))
    folder.chmod(0o755)
    home = folder / "home"

    def clean() -> None:
        cleaned = quickstart("--home", home, "clean")
        shutil.rmtree(folder, ignore_errors=True)
        assert cleaned.returncode == 0, cleaned.stdout

    shared.callback(clean)
    brought = quickstart("--home", home, "--port-base", str(free_port_base()), *options)
    if brought.returncode:
        pytest.fail(f"deploy/quickstart ended with {brought.returncode}:\n{brought.stdout}{brought.stderr}")
    return {**_status(quickstart, home), "output": brought.stdout}


def _status(quickstart: Callable[..., subprocess.CompletedProcess[str]], home: Path | str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(quickstart("--home", home, "status", "--json").stdout)
    return found


@pytest.fixture(scope="session")
def opensearch_of_the_site(site: dict[str, Any]) -> Documents:
    """Where the site sends its records and captures."""
    if "opensearch" not in site:
        without("this site has no OpenSearch: deploy/quickstart --with-opensearch")
    return Documents(site["opensearch"])


def free_port_base() -> int:
    """A port with the eight after it free, on loopback."""
    for base in range(23000, 60000, 10):
        if all(_is_free(base + number) for number in range(9)):
            return base
    pytest.fail("no nine free ports in a row")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
