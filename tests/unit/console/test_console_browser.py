"""The console as people see it: a real headless Chromium in front of a real site."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from console_browser import press
from console_site import HOSTILE, OPERATOR, VIEWER, wait_for
from make_screenshots import DESKTOP, PHONE, has, log_in, look, take, until
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from servers.missing import without

from voltscope.console import vendor
from voltscope.errors import VoltscopeError

if TYPE_CHECKING:
    from console_site import RunningSite
    from selenium.webdriver.remote.webdriver import WebDriver

PAGES = ("/", "/logs?since=7d", "/flamegraphs")
READY = {"/": "td .mark", "/logs?since=7d": ".record", "/flamegraphs": "form.filters option"}


def enter(browser: WebDriver, site: RunningSite, path: str = "/", who: tuple[str, str] = OPERATOR) -> None:
    """Log in and go to a page."""
    log_in(browser, site.url, *who)
    until(browser, has("td .mark"), "the overview")
    if path != "/":
        browser.get(site.url + path)
        until(browser, has(READY.get(path, "main > *")), path)


def text(browser: WebDriver, selector: str) -> list[str]:
    """The text of everything a selector matches."""
    script = "return [...document.querySelectorAll(arguments[0])].map(node => node.innerText)"
    found: list[str] = browser.execute_script(script, selector)
    return found


def assert_at_peace(browser: WebDriver, site: RunningSite) -> None:
    """Nothing in the browser's console, nothing asked of another host."""
    complaints = [entry for entry in browser.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]
    assert complaints == []
    asked = [
        event["params"]["request"]["url"]
        for event in (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert asked
    assert {urlsplit(url).netloc for url in asked if not url.startswith("data:")} == {urlsplit(site.url).netloc}


def test_login_says_what_is_wrong_and_leads_to_where_one_wanted(browser: WebDriver, site: RunningSite) -> None:
    browser.get(f"{site.url}/logs?q=locked")
    until(browser, has("form.card"), "the login form")
    browser.find_element(By.ID, "name").send_keys("operator")
    browser.find_element(By.ID, "secret").send_keys("wrong" + Keys.ENTER)
    until(browser, has(".notice:not([hidden])"), "the refusal")
    assert text(browser, ".notice") == ["Name and secret do not match."]
    browser.find_element(By.ID, "secret").send_keys(OPERATOR[1] + Keys.ENTER)
    until(browser, has(".record"), "the page asked for")
    assert browser.current_url == f"{site.url}/logs?q=locked"
    press(browser, By.CSS_SELECTOR, ".account form button")
    until(browser, has("form.card"), "the login form after logout")


def test_the_overview_shows_agents_devices_and_the_way_on(browser: WebDriver, site: RunningSite) -> None:
    enter(browser, site)
    rows = text(browser, "section.panel:has(#agents-title) tbody tr")
    assert rows[0].startswith("weather") and "crashed (-9)" in rows[0]
    assert {row.split()[0] for row in rows} == {
        "weather", "listener", "platform.driver", "platform.historian", "scheduler", "commissioning"
    }  # fmt: skip
    until(browser, has("td .spark :is(.line, .dot)"), "a sparkline")
    assert re.search(r"late: 1 min \d+ s ago", " ".join(text(browser, "section.panel:has(#devices-title) td")))
    press(browser, By.CSS_SELECTOR, 'a[aria-label="Logs of platform.historian"]')
    until(browser, lambda driver: text(driver, ".record .message"), "its records")
    assert browser.current_url == f"{site.url}/logs?agent=platform.historian"
    assert set(text(browser, ".record .agent")) == {"platform.historian"}
    browser.back()
    until(browser, has("td .mark"), "the overview again")
    assert_at_peace(browser, site)


def test_a_record_is_found_and_its_traceback_opens(browser: WebDriver, site: RunningSite) -> None:
    enter(browser, site, "/logs?since=7d")
    browser.find_element(By.ID, "q").send_keys("locked" + Keys.ENTER)
    until(browser, lambda driver: len(driver.find_elements(By.CSS_SELECTOR, ".record")) == 1, "one record")
    browser.find_element(By.CSS_SELECTOR, ".record summary").send_keys(Keys.ENTER)
    until(browser, has("pre.stack"), "the traceback")
    assert "sqlite3.OperationalError: database is locked" in text(browser, "pre.stack")[0]
    assert_at_peace(browser, site)


def test_hostile_text_stays_text(browser: WebDriver, site: RunningSite) -> None:
    enter(browser, site, "/logs?since=7d&agent=listener&level=warning")
    until(browser, has(".record"), "the record")
    press(browser, By.CSS_SELECTOR, ".record summary")
    shown = HOSTILE.replace("\x1b", r"\x1b").replace("\u202e", r"\u202e")
    until(browser, lambda driver: text(driver, "pre.full") == [shown], "the text as it was written")
    assert browser.find_elements(By.CSS_SELECTOR, ".records script, .records img") == []
    assert browser.title.startswith("Logs")
    assert_at_peace(browser, site)


def test_older_pages_are_loaded(browser: WebDriver, site: RunningSite) -> None:
    enter(browser, site, "/logs?since=7d&q=scraped")
    until(browser, lambda driver: len(driver.find_elements(By.CSS_SELECTOR, ".record")) == 100, "a page")
    press(browser, By.XPATH, "//button[.='Older records']")
    until(browser, lambda driver: len(driver.find_elements(By.CSS_SELECTOR, ".record")) == 150, "the rest")
    ids = [int(row.get_attribute("data-id")) for row in browser.find_elements(By.CSS_SELECTOR, ".record")]
    assert ids == sorted(set(ids), reverse=True)


def test_a_query_that_cannot_be_read_is_pointed_at(browser: WebDriver, site: RunningSite) -> None:
    enter(browser, site, "/logs?since=7d")
    browser.find_element(By.ID, "q").send_keys('locked "unclosed' + Keys.ENTER)
    until(browser, has("pre.pointer"), "the pointer")
    line, arrow = browser.find_element(By.CSS_SELECTOR, "pre.pointer").get_attribute("textContent").split("\n")
    assert line == 'locked "unclosed'
    assert line[arrow.index("↑")] == '"'
    assert text(browser, ".notice p")


def test_a_live_tail_shows_what_arrives(browser: WebDriver, site: RunningSite) -> None:
    enter(browser, site, "/logs?since=7d")
    press(browser, By.CSS_SELECTOR, "button.toggle")
    until(browser, lambda driver: "Following" in text(driver, ".found")[0], "the tail")
    site.logs.write("platform.historian", 20, "the boiler has come alive")
    until(browser, lambda driver: text(driver, ".record .message")[0] == "the boiler has come alive", "the record")
    site.logs.write("platform.historian", 20, "and goes on")
    until(browser, lambda driver: text(driver, ".record .message")[0] == "and goes on", "the next record")
    assert text(browser, ".record .message")[1] == "the boiler has come alive"
    press(browser, By.CSS_SELECTOR, "button.toggle")
    until(browser, lambda driver: "Following" not in text(driver, ".found")[0], "the end of the tail")
    assert_at_peace(browser, site)


def test_a_flamegraph_is_captured_with_progress_and_shown(browser: WebDriver, site: RunningSite) -> None:
    enter(browser, site)
    press(browser, By.CSS_SELECTOR, 'a[aria-label="Capture a flamegraph of platform.historian"]')
    until(browser, has("button.primary:not(:disabled)"), "the targets")
    seconds = browser.find_element(By.ID, "seconds")
    seconds.clear()
    seconds.send_keys("2")
    press(browser, By.CSS_SELECTOR, "form.filters button.primary")
    until(browser, has("progress"), "the progress bar")
    until(browser, has("iframe"), "the flamegraph", 60)
    frame = browser.find_element(By.CSS_SELECTOR, "iframe")
    assert frame.get_attribute("sandbox") == "allow-scripts"
    browser.switch_to.frame(frame)
    until(browser, lambda driver: "turn_the_wheel" in driver.page_source, "the hot function in the picture")
    browser.switch_to.default_content()
    until(browser, has("tr.current"), "the capture in the list")
    assert "platform.historian" in text(browser, "tr.current")[0]
    assert_at_peace(browser, site)


def test_a_capture_opens_in_speedscope(browser: WebDriver, site: RunningSite) -> None:
    try:
        vendor.fetch("speedscope")
    except VoltscopeError as error:
        without(str(error))
    with site.client() as client:
        number = client.post("/api/captures", json={"agent": "platform.historian", "seconds": 1}).json()["id"]
        wait_for(lambda: client.get(f"/api/captures/{number}").json()["state"] == "done", "the capture")
    enter(browser, site, f"/flamegraphs?id={number}")
    until(browser, has(".viewer .links a"), "the links")
    browser.find_element(By.LINK_TEXT, "Open in speedscope").click()
    until(browser, lambda driver: len(driver.window_handles) == 2, "speedscope's tab")
    browser.switch_to.window(browser.window_handles[1])
    until(browser, has("canvas"), "speedscope's drawing", 60)
    complaints = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert complaints == []


def test_a_viewer_reads_why_capturing_is_not_for_them(browser: WebDriver, site: RunningSite) -> None:
    enter(browser, site, "/flamegraphs", VIEWER)
    button = browser.find_element(By.CSS_SELECTOR, "form.filters button.primary")
    assert not button.is_enabled()
    assert "needs the role operator" in text(browser, f"#{button.get_attribute('aria-describedby')}")[0]


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_needs_no_sideways_scrolling(browser: WebDriver, site: RunningSite, path: str) -> None:
    look(browser, PHONE, "light")
    enter(browser, site, path)
    assert browser.execute_script("return innerWidth") == 360
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    if path != "/":
        return
    small = browser.execute_script(
        "return [...document.querySelectorAll('nav a, .actions a, button')].filter(node => node.offsetParent"
        " && node.getBoundingClientRect().height < 24).map(node => node.textContent)"
    )
    assert small == []  # WCAG 2.2, target size


def test_dark_and_light_follow_the_system_until_told_otherwise(browser: WebDriver, site: RunningSite) -> None:
    def brightness() -> int:
        colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour.removeprefix("rgb(").rstrip(")").split(",")) // 3

    enter(browser, site)
    assert brightness() > 200
    look(browser, DESKTOP, "dark")
    assert brightness() < 60
    press(browser, By.ID, "theme")  # from the system's to light
    assert brightness() > 200
    browser.refresh()
    until(browser, has("td .mark"), "the overview")
    assert brightness() > 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_enough_from_its_ground(browser: WebDriver, site: RunningSite, scheme: str) -> None:
    look(browser, DESKTOP, scheme)
    enter(browser, site)
    assert faint(browser) == []  # WCAG AA
    browser.get(f"{site.url}/logs?since=7d&q=level:error")
    until(browser, has(".facet[aria-pressed=true]"), "a filter that is on")
    press(browser, By.CSS_SELECTOR, ".record summary")
    until(browser, has(".more"), "an open record")
    assert faint(browser) == []


def faint(browser: WebDriver) -> list[Any]:
    """Texts that hardly stand out, and by how much they do."""
    found: list[Any] = browser.execute_script(
        """
        const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
          .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
        const parts = text => text.match(/[\\d.]+/g).map(Number);
        const ground = node => {
          for (; node; node = node.parentElement) {
            const colour = parts(getComputedStyle(node).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
          }
          return [255, 255, 255];
        };
        return [...document.querySelectorAll('body *')].filter(node => node.offsetParent && !node.closest('svg')
          && [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())).map(node => {
            const [a, b] = [light(parts(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
            return [node.textContent, (a + .05) / (b + .05)];
          }).filter(([, ratio]) => ratio < 4.5);
        """
    )
    return found


def test_everything_has_a_name_and_the_keyboard_reaches_it(browser: WebDriver, site: RunningSite) -> None:
    enter(browser, site)
    for path in PAGES:
        browser.get(site.url + path)
        until(browser, has(READY[path]), path)
        nameless = browser.execute_script(
            "return [...document.querySelectorAll('input, select, button, a, iframe, progress')].filter(node =>"
            " !(node.labels?.length || node.ariaLabel || node.textContent.trim() || node.title)).map(n => n.outerHTML)"
        )
        assert nameless == []
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to content"


def test_the_screenshots_are_taken_from_a_running_site(site: RunningSite, browser: WebDriver, tmp_path: Path) -> None:
    files = take(
        site.url, *OPERATOR, "platform.historian", tmp_path, contextlib.nullcontext, live=["call-graph"], live_s=0
    )
    assert {file.stem for file in files} >= {
        "overview",
        "overview-dark",
        "overview-phone",
        "logs",
        "flamegraph",
        "login",
        "live-call-graph",
        "console-agent-phone",
        "console-fleet",
    }
    assert all(file.read_bytes().startswith(b"\x89PNG") and file.stat().st_size > 5000 for file in files)
