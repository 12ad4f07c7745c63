"""Screenshots of a running site's console: `python docs/make_screenshots.py --site SITE.json`.

Needs Chromium, its driver and the `test` extra (selenium). Writes docs/images/*.png; nothing is drawn by hand, so
run it again when pages change.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.wait import WebDriverWait

DESKTOP, PHONE = (1360, 860), (360, 740)
# pages that say it all in another height
TALL = {"console-agent": 1190, "console-alerts": 960, "console-alerts-timeline": 480}
IMAGES = Path(__file__).parent / "images"
# What is there once a live view has something to show.
LIVE = {
    "greenlets": ".greenlets tbody tr",
    "call-graph": ".functions tbody tr",
    "flow": ".step",
    "syscalls": ".functions tbody tr",
}


def chromium() -> tuple[str, str] | None:
    """Chromium and its driver as found on PATH; None when either is missing."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


@contextmanager
def browsing(url: str) -> Iterator[WebDriver]:
    """A headless Chromium whose pages and their requests are recorded; it can reach nothing but `url`'s host."""
    found = chromium()
    if found is None:
        raise SystemExit("Chromium and chromedriver are not on PATH. On Debian: apt install chromium chromium-driver")
    host = urlsplit(url).hostname
    options = webdriver.ChromeOptions()
    options.binary_location = found[0]
    for argument in (
        "--headless=new",
        "--no-sandbox",  # containers run as root, where Chromium's sandbox refuses; only our own pages are visited
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--no-proxy-server",
        f"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE {host}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(found[1]))
    try:
        yield driver
    finally:
        driver.quit()


def look(driver: WebDriver, size: tuple[int, int], scheme: str) -> None:
    """Make the page this many CSS pixels large and prefer `light` or `dark`."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width == PHONE[0]}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def log_in(driver: WebDriver, url: str, name: str, secret: str) -> None:
    """Through the login form, like anybody."""
    driver.get(f"{url}/login")
    driver.find_element(By.ID, "name").clear()
    driver.find_element(By.ID, "name").send_keys(name)
    driver.find_element(By.ID, "secret").send_keys(secret)
    driver.find_element(By.CSS_SELECTOR, "form.card button").click()


def until(driver: WebDriver, seen: Callable[[WebDriver], object], what: str, seconds: float = 60) -> None:
    """Wait for a condition of the page."""
    WebDriverWait(driver, seconds, poll_frequency=0.1).until(seen, what)


def has(selector: str) -> Callable[[WebDriver], object]:
    """The condition that something matches a CSS selector."""
    return lambda driver: driver.find_elements(By.CSS_SELECTOR, selector)


@contextmanager
def at_work(python: Path, home: Path, agent: str) -> Iterator[None]:
    """A historian that is asked for what it recorded meanwhile. `python`: the platform's; `home`: VOLTTRON_HOME."""
    owner, program = home.stat(), Path(__file__).with_name("historian_at_work.py")
    environment = {"PATH": f"{python.parent}:/usr/bin:/bin", "VOLTTRON_HOME": str(home)}
    environment["HOME"] = str(home.parent / "user")  # of a quickstart; VOLTTRON writes there
    environment["VIRTUAL_ENV"] = str(python.parent.parent)
    process = subprocess.Popen(
        [python, "-", agent, "120"], stdin=program.open("rb"), cwd=home, env=environment,
        user=owner.st_uid, group=owner.st_gid, extra_groups=[],
    )  # fmt: skip
    try:
        yield
        if process.poll():
            raise SystemExit(f"nobody could ask {agent}: see above")
    finally:
        process.terminate()
        process.wait()


def capture(driver: WebDriver, url: str, agent: str) -> str:
    """Have `agent` captured by the page, waiting threads too; the page's address with the picture."""
    driver.get(f"{url}/flamegraphs?agent={agent}")
    until(driver, has("form.filters button.primary:not(:disabled)"), "targets to capture")
    driver.find_element(By.CSS_SELECTOR, "input[value=wall] + span").click()
    driver.find_element(By.CSS_SELECTOR, "form.filters button.primary").click()
    until(driver, lambda page: "id=" in page.current_url and has("iframe")(page), "the flamegraph", 60)
    return driver.current_url


def difference(url: str, before: str, after: str) -> str:
    """The page that compares the captures of two addresses."""
    ids = [parse_qs(urlsplit(address).query)["id"][0] for address in (before, after)]
    return f"{url}/flamegraphs?{urlencode({'view': 'compare', 'before': ids[0], 'after': ids[1]})}"


def sampled(driver: WebDriver, url: str, agent: str) -> str:
    """The page of what was sampled of `agent` in the last hour, once there is some."""

    def asked() -> str:
        now = int(time.time())
        return urlencode({"agent": agent, "since": now - 3600, "until": now, "reason": "continuous"})

    total = "return fetch(arguments[0]).then(answer => answer.json()).then(found => found.samples)"
    until(driver, lambda page: page.execute_script(total, f"/api/coverage?{asked()}"), "a minute of profiling", 180)
    return f"{url}/flamegraphs?view=range&{asked()}"


def watch(driver: WebDriver, url: str, agent: str, view: str, seconds: float) -> bool:
    """Have the page look into `agent` by a live view for that long; False where nothing here can show it."""
    driver.get(f"{url}/live?{urlencode({'agent': agent, 'view': view})}")
    start = "form.filters button.primary:not(:disabled)"
    until(driver, lambda page: has(start)(page) or has(".plan .notice")(page), "what can watch")
    if not has(start)(driver):
        return False
    driver.find_element(By.CSS_SELECTOR, start).click()
    until(driver, has(LIVE[view]), view)
    time.sleep(seconds)
    return True


def alerting(driver: WebDriver, url: str) -> dict[str, tuple[str, str]]:
    """The pages of alerts, each with what is there once it is drawn, where one goes on: the worst of them is open."""
    asked = "return fetch('/api/alerts?limit=500').then(answer => answer.ok ? answer.json() : {alerts: []})"
    going_on = driver.execute_script(asked)["alerts"]
    if not going_on:
        return {}
    worst = min(going_on, key=lambda one: ("agent" not in one["labels"], one["severity"] != "critical"))
    drawn = ".alert-evidence h3" if "agent" in worst["labels"] else ".alert-detail dl"
    return {
        "console-alerts": (f"{url}/alerts?alert={worst['id']}", drawn),
        "console-alerts-timeline": (f"{url}/alerts?view=timeline&since=1h", ".lane"),
    }


def take(
    url: str, name: str, secret: str, agent: str, into: Path, work: Callable[[], AbstractContextManager[None]],
    live: Sequence[str] = tuple(LIVE), live_s: float = 6.0,
) -> list[Path]:  # fmt: skip
    """Capture `agent` as it is and during `work`, then photograph every page; the files written.

    `live`: the live views to photograph, each after `live_s` seconds.
    """
    into.mkdir(parents=True, exist_ok=True)
    taken: list[Path] = []

    def shoot(driver: WebDriver, image: str) -> None:
        file = into / f"{image}.png"
        file.write_bytes(driver.get_screenshot_as_png())
        taken.append(file)

    with browsing(url) as driver:
        look(driver, DESKTOP, "light")
        driver.get(f"{url}/login")
        shoot(driver, "login")
        log_in(driver, url, name, secret)
        until(driver, has("td .mark"), "agents on the overview")
        before = capture(driver, url, agent)
        with work():
            after = capture(driver, url, agent)
        pages = {
            "overview": (url, "td .mark"),
            "logs": (f"{url}/logs?since=15m", ".picture .column"),
            "flamegraph": (after, "iframe"),
            "difference": (difference(url, before, after), "#changes-title"),
            "continuous": (sampled(driver, url, agent), "iframe"),
            "console-agent": (f"{url}/agent?agent={agent}", ".plot canvas"),
            "console-fleet": (f"{url}/fleet", ".fleet tbody tr"),
            **alerting(driver, url),
        }
        for size, scheme, suffix in ((DESKTOP, "light", ""), (DESKTOP, "dark", "-dark"), (PHONE, "light", "-phone")):
            for page, (address, selector) in pages.items():
                look(driver, (size[0], TALL.get(page, size[1])), scheme)
                driver.get(address)
                until(driver, has(selector), page)
                # the flamegraph draws itself inside its sandbox, where nobody can look
                time.sleep(0.7 if has("iframe")(driver) else 0.1)
                shoot(driver, f"{page}{suffix}")
        for view in live:
            look(driver, DESKTOP, "light")
            with work():
                if not watch(driver, url, agent, view, live_s):
                    print(f"nothing here can show {view} of {agent}", file=sys.stderr)
                    continue
                shoot(driver, f"live-{view}")
                look(driver, DESKTOP, "dark")
                shoot(driver, f"live-{view}-dark")
                if view == "greenlets":
                    look(driver, DESKTOP, "light")
                    driver.execute_script("document.querySelector('.flame-panel').scrollIntoView()")
                    shoot(driver, "live-flamegraph")
    return taken


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Screenshots of a running site's console.")
    parser.add_argument("--site", type=Path, required=True, help="the site file (site.json)")
    parser.add_argument("--agent", default="platform.historian", help="whose flamegraph to show")
    parser.add_argument("--python", type=Path, help="the platform's: the historian is queried during one capture")
    parser.add_argument("--out", type=Path, default=IMAGES, help="where the images go")
    given = parser.parse_args()
    site = json.loads(given.site.read_bytes())
    users = json.loads(Path(site["credentials"]).read_bytes())["users"]
    operator = next(user for user in users if user["role"] == "operator")
    python, home = given.python, Path(site["volttron_home"])
    work = nullcontext if python is None else lambda: at_work(python, home, given.agent)
    for file in take(site["console"], operator["name"], operator["secret"], given.agent, given.out, work):
        print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
