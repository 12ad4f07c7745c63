"""Screenshots of the console's page Live: `python docs/make_live_screenshots.py --site SITE.json`.

Needs what make_screenshots.py needs, and agents that have loaded the probe: docs/live.md says how. With `--stuck` also
of an agent that blocks its hub, and of the same hung; tests/e2e/stuck_agent is one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from urllib.parse import urlencode

from make_screenshots import DESKTOP, IMAGES, PHONE, browsing, has, log_in, look, until
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

# what shows that a view has drawn something
DRAWN = {
    "greenlets": "table.greenlets tbody tr",
    "call-graph": "svg.callgraph .function-box",
    "flow": ".flow-rows .step",
    "syscalls": "svg.bubbles .bubble",
}
# How long each is left to fill before it is photographed.
_FILLS_S = 6.0
_START = "form.filters button.primary"


def watch(driver: WebDriver, url: str, agent: str, view: str) -> None:
    """Have the page watch `agent` by `view`, until it has something to show."""
    driver.get(f"{url}/live?{urlencode({'agent': agent, 'view': view})}")
    until(driver, has(f"{_START}:not(:disabled)"), f"{view} of {agent} to be had")
    driver.find_element(By.CSS_SELECTOR, _START).click()
    until(driver, has(DRAWN[view]), f"{view} of {agent}")


def stop(driver: WebDriver) -> None:
    """End the session: a flow is the only one of its kind."""
    button = driver.find_element(By.XPATH, "//form//button[normalize-space()='Stop']")
    if button.is_enabled():
        button.click()
        until(driver, lambda _: not button.is_enabled(), "the end of the session")


@contextmanager
def hung(home: Path) -> Iterator[None]:
    """The stuck agent hangs meanwhile. `home`: VOLTTRON_HOME."""
    marker = home / "stuck-agent-hangs"
    marker.touch()
    try:
        yield
    finally:
        marker.unlink()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Screenshots of the page Live of a running site's console.")
    parser.add_argument("--site", type=Path, required=True, help="the site file (site.json)")
    parser.add_argument("--historian", default="platform.historian", help="whose greenlets and system calls to show")
    parser.add_argument("--driver", default="platform.driver", help="whose call graph and flow to show")
    parser.add_argument("--stuck", metavar="AGENT", help="also show this agent of tests/e2e/stuck_agent")
    parser.add_argument("--out", type=Path, default=IMAGES, help="where the images go")
    given = parser.parse_args()
    site = json.loads(given.site.read_bytes())
    users = json.loads(Path(site["credentials"]).read_bytes())["users"]
    operator = next(user for user in users if user["role"] == "operator")
    shots = [
        ("live-greenlets", given.historian, "greenlets"),
        ("live-call-graph", given.driver, "call-graph"),
        ("live-flow", given.driver, "flow"),
        ("live-syscalls", given.historian, "syscalls"),
    ]
    if given.stuck:
        shots += [("live-blocked", given.stuck, "greenlets"), ("live-hung", given.stuck, "greenlets")]
    given.out.mkdir(parents=True, exist_ok=True)
    with browsing(site["console"]) as driver:
        look(driver, DESKTOP, "light")
        log_in(driver, site["console"], operator["name"], operator["secret"])
        until(driver, has("td .mark"), "agents on the overview")
        for image, agent, view in shots:
            state = hung(Path(site["volttron_home"])) if image == "live-hung" else nullcontext()
            with state:
                watch(driver, site["console"], agent, view)
                time.sleep(_FILLS_S)
                for size, scheme, suffix in (
                    (DESKTOP, "light", ""),
                    (DESKTOP, "dark", "-dark"),
                    (PHONE, "light", "-phone"),
                ):
                    look(driver, size, scheme)
                    driver.execute_script("window.scrollTo(0, 0)")
                    time.sleep(0.7)  # pictures find their new size
                    file = given.out / f"{image}{suffix}.png"
                    file.write_bytes(driver.get_screenshot_as_png())
                    print(file)
                look(driver, DESKTOP, "light")
                stop(driver)
    return 0


if __name__ == "__main__":
    sys.exit(main())
