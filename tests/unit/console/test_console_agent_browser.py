"""The Agent page in a real browser: plots of a known past, one cursor for all of them, and the ways to look closer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from console_browser import press, shown, visit
from console_site import VIEWER, console_of
from make_screenshots import PHONE, has, look, until
from prometheus_history import HISTORY_S
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from servers.missing import without
from servers.ports import free_port
from test_console_browser import assert_at_peace

from voltscope.console import vendor
from voltscope.errors import VoltscopeError

if TYPE_CHECKING:
    from console_site import RunningSite
    from selenium.webdriver.remote.webdriver import WebDriver

AGENT = "platform.historian"
DRAWN = ".plot canvas"
# Pixels of a plot's canvas that are not of its ground.
_PAINTED = """
const canvas = document.querySelector(`[data-plot=${arguments[0]}] canvas`);
const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
return data.filter((value, index) => index % 4 === 3 && value > 0).length
"""


@pytest.fixture(scope="module", autouse=True)
def uplot() -> None:
    try:
        vendor.fetch("uplot")
    except VoltscopeError as error:
        without(str(error))


def past(site: RunningSite) -> str:
    """The page of the agent's known past."""
    since, until_ = int(site.past_until - HISTORY_S), int(site.past_until + 300)
    return f"/agent?agent={AGENT}&since={since}&until={until_}"


def span(page: WebDriver) -> tuple[float, float]:
    """The times in the address."""
    asked = parse_qs(urlsplit(page.current_url).query)
    return float(asked["since"][0]), float(asked["until"][0])


def legend(page: WebDriver, plot: str) -> dict[str, list[str]]:
    """Last, mean, largest and what is at the cursor, by line."""
    rows: list[list[str]] = page.execute_script(
        "return [...document.querySelectorAll(`[data-plot=${arguments[0]}] tbody tr`)]"
        ".map(row => [...row.cells].map(cell => cell.innerText.trim()))",
        plot,
    )
    return {row[0]: row[1:] for row in rows}


def test_a_known_past_is_drawn_with_its_figures_and_what_happened(browser: WebDriver, site: RunningSite) -> None:
    visit(browser, site, past(site), DRAWN)
    until(browser, lambda page: legend(page, "cpu").get("user", [""])[1] == "10 %", "the mean of the time")
    assert legend(browser, "cpu")["system"][1] == "2.0 %"
    assert legend(browser, "memory")["its own share (PSS)"][:3] == ["30.0 MiB"] * 3
    assert legend(browser, "logs")["info"][1] == "2"
    assert all(browser.execute_script(_PAINTED, plot) > 500 for plot in ("cpu", "memory", "rpc", "logs", "bands"))
    assert "crashed" in shown(browser, ".shares")[0] and "bad" in shown(browser, ".shares")[0]
    until(browser, lambda page: "VolttronAgentCrashed, critical" in "".join(shown(page, ".event")), "the alert")
    assert sum("a process of it started" in event for event in shown(browser, ".event")) == 1
    assert shown(browser, ".tiles .mark")[:2] == ["running", "good"]
    assert "last alert" in shown(browser, ".tiles")[0].lower()
    until(browser, lambda page: "pid" in shown(page, ".tiles")[0], "its process")
    until(browser, has(".agent-errors :is(.hint, .record)"), "its errors")
    assert_at_peace(browser, site)


def test_one_cursor_walks_through_all_plots_and_looks_closer(browser: WebDriver, site: RunningSite) -> None:
    visit(browser, site, past(site), DRAWN)
    until(browser, lambda page: legend(page, "cpu"), "the legend")
    plot = browser.find_element(By.CSS_SELECTOR, "[data-plot=cpu] .plot")
    plot.send_keys(Keys.END)
    plot.send_keys(*[Keys.PAGE_UP] * 3)
    until(browser, lambda page: legend(page, "cpu")["user"][3] != "–", "the value at the cursor")
    assert legend(browser, "memory")["its own share (PSS)"][3] == "30.0 MiB"
    assert legend(browser, "rpc")["median"][3] == "5 ms"
    told = plot.get_attribute("aria-valuetext") or ""
    assert told.endswith("user 10 %, system 2.0 %")
    before = span(browser)
    plot.send_keys(Keys.SHIFT, *[Keys.ARROW_RIGHT] * 20, Keys.SHIFT)
    plot.send_keys(Keys.ENTER)
    until(browser, lambda page: span(page) != before, "a closer look")
    since, until_ = span(browser)
    assert before[0] < since < until_ < before[1] and until_ - since < 1000
    browser.back()
    until(browser, lambda page: span(page) == before, "the time before")
    assert_at_peace(browser, site)


def test_dragging_zooms_once_and_zooming_out_leads_back(browser: WebDriver, site: RunningSite) -> None:
    visit(browser, site, past(site), "[data-plot=cpu] .u-over")
    until(browser, lambda page: legend(page, "cpu"), "the legend")
    before = span(browser)
    over = browser.find_element(By.CSS_SELECTOR, "[data-plot=cpu] .u-over")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", over)
    drag = ActionChains(browser).move_to_element_with_offset(over, -80, 0).click_and_hold()
    drag.move_by_offset(120, 0).release().perform()
    until(browser, lambda page: span(page) != before, "the time that was chosen")
    since, until_ = span(browser)
    assert before[0] < since < until_ < before[1]
    browser.back()
    until(browser, lambda page: span(page) == before, "the time before, one step back")
    browser.forward()
    until(browser, lambda page: span(page)[0] == since and has(DRAWN)(page), "the time that was chosen, again")
    press(browser, By.XPATH, "//button[.='Zoom out']")
    until(browser, lambda page: span(page)[0] < since, "a wider look")
    press(browser, By.XPATH, "//button[.='24 h']")
    until(browser, lambda page: "since=24h" in page.current_url, "a day")
    until(browser, lambda page: "A value each 3 min" in "".join(shown(page, ".fresh")), "its steps")
    assert shown(browser, "[aria-pressed=true].small") == ["24 h"]
    assert_at_peace(browser, site)


def test_the_page_is_reached_from_the_agents_row_and_leads_on(browser: WebDriver, site: RunningSite) -> None:
    visit(browser, site, "/", "td .mark")
    press(browser, By.LINK_TEXT, AGENT)
    until(browser, has(".agent-links a"), "the links")
    assert urlsplit(browser.current_url).query == f"agent={AGENT}"
    hrefs: dict[str, str] = browser.execute_script(
        "return Object.fromEntries([...document.querySelectorAll('.agent-links a')].map(a => [a.innerText, a.href]))"
    )
    assert {"Logs", "Flamegraph now", "Live"} <= set(hrefs)
    logs = parse_qs(urlsplit(hrefs["Logs"]).query)
    assert logs["agent"] == [AGENT] and float(logs["until"][0]) - float(logs["since"][0]) == 3600
    visit(browser, site, f"/logs?since=7d&agent={AGENT}&level=error", ".record")
    press(browser, By.CSS_SELECTOR, ".record summary")
    press(browser, By.LINK_TEXT, "Plots")
    until(browser, has(DRAWN), "the plots around the record")
    since, until_ = span(browser)
    assert until_ - since == 2400
    until(browser, has(".agent-errors .record"), "the record")


def test_without_prometheus_it_shows_facts_and_log_and_says_why(browser: WebDriver, site: RunningSite) -> None:
    with console_of(site.site, prometheus=f"http://127.0.0.1:{free_port()}") as alone:
        visit(browser, alone, f"/agent?agent={AGENT}", ".notice.bad", VIEWER)
        assert "does not answer" in shown(browser, ".notice.bad")[0]
        assert shown(browser, ".tiles .mark")[0] == "running"
        until(browser, has(".agent-errors .record"), "its errors")
        assert "Nothing is known of it in this time." in shown(browser, "[data-plot=cpu]")[0]


def test_without_its_library_the_figures_stand_alone(
    browser: WebDriver, site: RunningSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = vendor.absent
    monkeypatch.setattr(vendor, "absent", lambda part: "uplot is not here." if part == "uplot" else there(part))
    visit(browser, site, past(site), ".legend-table tbody tr")
    assert "uplot is not here." in shown(browser, ".notice.warning")[0]
    assert legend(browser, "cpu")["user"][1] == "10 %"
    assert not browser.find_elements(By.CSS_SELECTOR, DRAWN)
    assert "crashed" in shown(browser, ".shares")[0]


def test_a_hostile_name_stays_a_name(browser: WebDriver, site: RunningSite) -> None:
    visit(browser, site, "/agent?agent=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%22%7D", ".notice.warning")
    assert "No agent <img src=x onerror=alert(1)>" in shown(browser, ".notice.warning")[0]
    assert browser.find_elements(By.CSS_SELECTOR, "main img") == []


def test_a_phone_shows_it_without_sideways_scrolling(browser: WebDriver, site: RunningSite) -> None:
    look(browser, PHONE, "light")
    visit(browser, site, past(site), ".event")
    until(browser, has(DRAWN), "the plots")
    assert browser.execute_script("return [innerWidth, document.documentElement.scrollWidth]") == [360, 360]


def test_the_theme_is_followed_by_what_is_drawn(browser: WebDriver, site: RunningSite) -> None:
    def colours() -> list[Any]:
        script = """
        const canvas = document.querySelector('[data-plot=memory] canvas'), seen = new Map();
        const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) {
          const key = [data[i], data[i + 1], data[i + 2]].join(); seen.set(key, (seen.get(key) ?? 0) + 1);
        }
        return [...seen].sort(([, a], [, b]) => b - a).slice(0, 4).map(([key]) => key).sort()
        """
        found: list[Any] = browser.execute_script(script)
        return found

    visit(browser, site, past(site), DRAWN)
    until(browser, lambda page: len(legend(page, "memory")) == 2, "the legend")
    light = colours()
    look(browser, (1360, 860), "dark")
    until(browser, lambda page: colours() != light, "other colours")
