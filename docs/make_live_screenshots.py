"""More screenshots of the console's page Live: `python docs/make_live_screenshots.py --site SITE.json`.

Of the driver, beside those that make_screenshots.py takes of the historian, and with `--stuck` of an agent that blocks
its hub, and of the same hung (tests/e2e/stuck_agent is one). Needs what make_screenshots.py needs, and agents that have
loaded the probe: docs/live.md says how.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from make_screenshots import DESKTOP, IMAGES, PHONE, browsing, has, log_in, look, until, watch
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

_UNFOLD = """
for (const least of document.querySelectorAll('#graph-least')) {
  least.value = 0;
  least.dispatchEvent(new Event('change'));
}
for (const longest of document.querySelectorAll('.blocks > :first-child details')) longest.open = true;
"""


@dataclass(frozen=True)
class Shot:
    """Pictures of one view. `parts`: image names and the element each begins with, None for the top of the page;
    `fills_s`: how long the view is left to fill; `beside`: what goes on meanwhile.
    """

    agent: str
    view: str
    parts: dict[str, str | None]
    fills_s: float = 6.0
    beside: Callable[[], AbstractContextManager[None]] = nullcontext


def stop(driver: WebDriver) -> None:
    """End the session: a flow is the only one of its kind."""
    button = driver.find_element(By.XPATH, "//form//button[normalize-space()='Stop']")
    if button.is_enabled():
        button.click()
        until(driver, lambda _: not button.is_enabled(), "the end of the session")


def show(driver: WebDriver, part: str | None) -> None:
    """Scroll to an element, or to the top. All functions are drawn, and what blocked the hub longest is unfolded."""
    driver.execute_script(_UNFOLD)
    if part is None:
        driver.execute_script("window.scrollTo(0, 0)")
    else:
        place = driver.find_element(By.CSS_SELECTOR, part)
        driver.execute_script("window.scrollTo(0, arguments[0].getBoundingClientRect().top + scrollY - 12)", place)


@contextmanager
def hung(home: Path) -> Iterator[None]:
    """The stuck agent hangs meanwhile. `home`: VOLTTRON_HOME."""
    marker = home / "stuck-agent-hangs"
    marker.touch()
    try:
        yield
    finally:
        marker.unlink()


def take(driver: WebDriver, url: str, shot: Shot, into: Path) -> None:
    """Watch as `shot` says, and photograph its parts in light, in dark and on a phone."""
    with shot.beside():
        if not watch(driver, url, shot.agent, shot.view, shot.fills_s):
            raise SystemExit(f"nothing here can show {shot.view} of {shot.agent}")
        for size, scheme, suffix in ((DESKTOP, "light", ""), (DESKTOP, "dark", "-dark"), (PHONE, "light", "-phone")):
            look(driver, size, scheme)
            for image, part in shot.parts.items():
                show(driver, part or (".stage" if size == PHONE else None))
                time.sleep(0.7)  # pictures find their new size
                file = into / f"{image}{suffix}.png"
                file.write_bytes(driver.get_screenshot_as_png())
                print(file)
        look(driver, DESKTOP, "light")
        stop(driver)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Screenshots of the page Live of a running site's console.")
    parser.add_argument("--site", type=Path, required=True, help="the site file (site.json)")
    parser.add_argument("--driver", default="platform.driver", help="whose calls, flow and system calls to show")
    parser.add_argument("--stuck", metavar="AGENT", help="also show this agent of tests/e2e/stuck_agent")
    parser.add_argument("--out", type=Path, default=IMAGES, help="where the images go")
    given = parser.parse_args()
    site = json.loads(given.site.read_bytes())
    users = json.loads(Path(site["credentials"]).read_bytes())["users"]
    operator = next(user for user in users if user["role"] == "operator")
    shots = [
        Shot(given.driver, "call-graph", {"live-driver-call-graph": None}, 20.0),
        Shot(given.driver, "flow", {"live-driver-flow": None}, 3.0),
        Shot(given.driver, "syscalls", {"live-driver-syscalls": None}),
    ]
    if given.stuck:
        hangs = partial(hung, Path(site["volttron_home"]))
        shots += [
            Shot(given.stuck, "greenlets", {"live-blocked": ".panel.switches"}),
            Shot(given.stuck, "greenlets", {"live-hung": None}, beside=hangs),
        ]
    given.out.mkdir(parents=True, exist_ok=True)
    with browsing(site["console"]) as driver:
        look(driver, DESKTOP, "light")
        log_in(driver, site["console"], operator["name"], operator["secret"])
        until(driver, has("td .mark"), "agents on the overview")
        for shot in shots:
            take(driver, site["console"], shot, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
