"""The Flamegraphs page in a real browser: differences, time ranges, threads, and a capture that is cancelled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from console_browser import typed
from console_site import VIEWER
from make_screenshots import PHONE, has, look, until
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select
from test_console_browser import assert_at_peace, enter, text
from test_console_profiles import capture

if TYPE_CHECKING:
    from console_site import RunningSite
    from selenium.webdriver.remote.webdriver import WebDriver


@pytest.fixture(scope="module")
def pair(site: RunningSite) -> list[str]:
    """The ids of two captures, the older first."""
    with site.client() as client:
        return [capture(client)["id"] for _ in range(2)]


def press(browser: WebDriver, words: str) -> None:
    """Click the button or link that says so, once there is one; found and clicked at once, for pages draw anew."""
    click = (
        "const found = [...document.querySelectorAll('main a, main button')]"
        ".find(node => node.textContent.trim() === arguments[0] && !node.disabled); found?.click(); return !!found"
    )
    until(browser, lambda driver: driver.execute_script(click, words), words)


def test_two_captures_picked_are_compared_both_ways(browser: WebDriver, site: RunningSite, pair: list[str]) -> None:
    enter(browser, site, "/flamegraphs?of=platform.historian&of_kind=cpu")
    until(browser, has(f"input[data-key='pick-{pair[1]}']"), "the list")
    rows = text(browser, "section.panel:has(#captures-title) tbody tr")
    assert all(row.startswith("platform.historian") for row in rows)
    for one in pair:  # the table is drawn anew after each
        browser.execute_script(
            "arguments[0].click()", browser.find_element(By.CSS_SELECTOR, f"[data-key='pick-{one}']")
        )
    press(browser, "Compare the two picked")
    until(browser, has("#changes-title"), "the changes")
    assert f"before={pair[0]}&after={pair[1]}" in browser.current_url
    frame = browser.find_element(By.CSS_SELECTOR, "iframe")
    assert frame.get_attribute("sandbox") == "allow-scripts"
    assert "by=after" in (frame.get_attribute("src") or "")
    press(browser, "before")
    until(browser, has("iframe[src*='by=before']"), "the other way")
    until(browser, has("#changes-title"), "the changes again")
    browser.find_element(By.ID, "unsure-changes").click()
    until(browser, has(".functions tbody tr"), "what chance may have done")
    assert_at_peace(browser, site)


def test_a_capture_is_compared_with_the_one_before_and_says_when_yesterday_has_none(
    browser: WebDriver, site: RunningSite, pair: list[str]
) -> None:
    enter(browser, site, f"/flamegraphs?id={pair[1]}")
    press(browser, "Since yesterday")
    until(browser, lambda driver: "Nothing of about a day" in "".join(text(driver, ".compare .hint")), "the answer")
    press(browser, "With the one before")
    until(browser, has("#changes-title"), "the changes")


def test_top_functions_are_searched_and_lead_to_the_logs(
    browser: WebDriver, site: RunningSite, pair: list[str]
) -> None:
    enter(browser, site, f"/flamegraphs?id={pair[0]}")
    until(browser, has(".functions tbody tr"), "the functions")
    assert "turn_the_wheel" in " ".join(text(browser, ".functions tbody tr"))
    Select(browser.find_element(By.ID, "function-order")).select_by_value("total")
    browser.find_element(By.ID, "function-search").send_keys("turn_the_w")
    until(browser, lambda driver: all("turn_the_w" in row for row in text(driver, ".functions tbody tr")), "the search")
    browser.find_element(By.ID, "function-search").send_keys("xyz")
    until(browser, lambda driver: "No function is called so." in text(driver, ".functions .hint"), "none")
    link = browser.find_element(By.LINK_TEXT, "Logs of platform.historian")
    assert (link.get_attribute("href") or "").endswith("/logs?agent=platform.historian")


def test_a_range_of_time_is_one_picture_with_everything_in_its_address(
    browser: WebDriver, site: RunningSite, pair: list[str]
) -> None:
    enter(browser, site, "/flamegraphs")
    press(browser, "Time range")
    typed(browser, "#range-agent", "platform.h*")
    press(browser, "1 hour")
    until(browser, has("iframe[src^='/merged.svg']"), "the picture")
    until(browser, has(".functions tbody tr"), "the functions")
    assert "agent=platform.h*" in browser.current_url and "since=" in browser.current_url
    browser.refresh()
    until(browser, has("iframe[src^='/merged.svg']"), "the picture again")
    now = int(time.time())
    browser.get(f"{site.url}/flamegraphs?view=range&agent=platform.historian&since={now - 999999}&until={now - 999000}")
    until(browser, lambda driver: "Nothing was sampled" in "".join(text(driver, ".viewer .notice")), "the answer")
    assert_at_peace(browser, site)


def test_threads_are_shown_and_a_capture_is_cancelled(browser: WebDriver, site: RunningSite) -> None:
    enter(browser, site, "/flamegraphs?agent=platform.historian")
    press(browser, "Thread dump")
    until(browser, has(".thread .frames"), "the threads")
    assert "MainThread" in text(browser, ".thread summary")[0]
    Select(browser.find_element(By.ID, "agent")).select_by_value("platform.driver")
    seconds = browser.find_element(By.ID, "seconds")
    seconds.clear()
    seconds.send_keys("120")
    browser.execute_script("document.querySelector('form.filters button.primary').click()")
    press(browser, "Cancel")
    until(browser, lambda driver: "cancelled" in "".join(text(driver, ".progress .notice")), "the end")


def test_a_backend_that_cannot_do_it_is_not_offered_for_it(browser: WebDriver, site: RunningSite) -> None:
    enter(browser, site, "/flamegraphs")
    until(browser, has("#backend option[value='py-spy']"), "the backends")
    browser.find_element(By.CSS_SELECTOR, ".further summary").click()
    Select(browser.find_element(By.ID, "backend")).select_by_value("py-spy")
    assert not browser.find_element(By.CSS_SELECTOR, "input[value=memory]").is_enabled()
    assert browser.find_element(By.CSS_SELECTOR, "input[name=native]").is_enabled()


def test_a_viewer_sees_pictures_and_takes_no_threads(browser: WebDriver, site: RunningSite, pair: list[str]) -> None:
    enter(browser, site, f"/flamegraphs?id={pair[0]}", VIEWER)
    until(browser, has(".functions tbody tr"), "the functions")
    assert not any(button.is_enabled() for button in browser.find_elements(By.CSS_SELECTOR, ".field.buttons button"))


def test_a_phone_shows_it_without_sideways_scrolling(browser: WebDriver, site: RunningSite, pair: list[str]) -> None:
    look(browser, PHONE, "light")
    enter(browser, site)
    for view in (
        f"id={pair[0]}",
        f"view=range&agent=platform.historian&kind=cpu&since=1&until={int(time.time()) + 60}",
        f"view=compare&before={pair[0]}&after={pair[1]}",
    ):
        browser.get(f"{site.url}/flamegraphs?{view}")
        until(browser, has("section.functions"), view)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360, view
    browser.find_element(By.ID, "unsure-changes").click()
    until(browser, has(".functions tbody tr"), "what chance may have done")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
