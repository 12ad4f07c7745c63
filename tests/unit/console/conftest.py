"""One site for all tests of the console, and a browser in front of it."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.missing import without

_HERE = Path(__file__).parent
sys.path[:0] = [str(_HERE), str(_HERE.parent / "alerting"), str(_HERE.parents[2] / "docs")]

if TYPE_CHECKING:
    from console_site import RunningSite
    from selenium.webdriver.remote.webdriver import WebDriver


def _needs(program: str) -> None:
    if shutil.which(program) is None:
        without(f"{program} is not on PATH")


@pytest.fixture(scope="session")
def site(shared: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> RunningSite:
    _needs("prometheus")
    from console_site import HOSTILE, TRACEBACK, running_site

    running = shared.enter_context(running_site(tmp_path_factory.mktemp("site")))
    start = time.time() - 600
    for number in range(150):
        running.logs.write("platform.driver", 20, f"scraped device campus/boiler-{number}", start + number)
    running.logs.write("platform.historian", 40, TRACEBACK, start + 200)
    running.logs.write("listener", 30, HOSTILE, start + 300)
    return running


@pytest.fixture(scope="session")
def fleet(shared: ExitStack, site: RunningSite, tmp_path_factory: pytest.TempPathFactory) -> RunningSite:
    """A console whose Prometheus knows a thousand platforms."""
    from console_site import console_of, prometheus, wait_for
    from prometheus_history import write_fleet

    folder = tmp_path_factory.mktemp("fleet")
    write_fleet(folder / "prometheus", time.time())
    url = shared.enter_context(prometheus(folder))
    running = shared.enter_context(console_of(site.site, prometheus=url))
    with running.client() as client:
        wait_for(lambda: client.get("/api/fleet").json()["instances"], "the fleet")
    return running


@pytest.fixture(scope="session")
def chromium(shared: ExitStack, site: RunningSite) -> WebDriver:
    _needs("chromium")
    _needs("chromedriver")
    from make_screenshots import browsing

    return shared.enter_context(browsing(site.url))


@pytest.fixture
def browser(site: RunningSite, chromium: WebDriver) -> WebDriver:
    """As a stranger finds it: starting Chromium anew for each test costs more than most tests."""
    from make_screenshots import DESKTOP, look

    for extra in chromium.window_handles[1:]:
        chromium.switch_to.window(extra)
        chromium.close()
    chromium.switch_to.window(chromium.window_handles[0])
    look(chromium, DESKTOP, "light")
    chromium.get(f"{site.url}/login")
    chromium.execute_script("localStorage.clear()")
    chromium.delete_all_cookies()
    chromium.get("about:blank")
    chromium.get_log("browser")
    chromium.get_log("performance")
    return chromium


@pytest.fixture(scope="session")
def axe() -> str:
    from axe import script

    return script()


@pytest.fixture
def judged(browser: WebDriver, axe: str) -> Callable[[], None]:
    """Says that the page as it stands is without fault."""
    from axe import judge

    return lambda: judge(browser, axe)
