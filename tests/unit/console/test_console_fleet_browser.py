"""The Fleet page in a real browser, in front of a thousand platforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console_browser import focused, press, shown, visit
from make_screenshots import PHONE, has, look, until
from prometheus_history import PLATFORMS
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_console_browser import assert_at_peace

if TYPE_CHECKING:
    from console_site import RunningSite
    from selenium.webdriver.remote.webdriver import WebDriver

ROW = ".fleet tbody tr"


def names(page: WebDriver) -> list[str]:
    return shown(page, f"{ROW} a.identity")


def test_a_thousand_are_shown_by_pages_the_worst_first(browser: WebDriver, fleet: RunningSite) -> None:
    visit(browser, fleet, "/fleet", ROW)
    assert names(browser)[:5] == ["plant-6", "plant-7", "plant-8", "plant-9", "plant-10"]
    assert len(names(browser)) == 50
    assert shown(browser, ".fleet [role=status]") == ["1\u202f000 in all, 1 to 50 shown."]
    assert [value for tile in shown(browser, ".tile") for value in tile.split("\n")] == [
        "not scraped", "2", "platform down", "1", "critical", "1", "warning", "1", "well", str(PLATFORMS - 5),
    ]  # fmt: skip
    fourth = shown(browser, ROW)[3]
    assert "2 crashed" in fourth and "1 critical" in fourth and "11.0.0" in fourth
    press(browser, By.XPATH, "//button[.='Next']")
    until(browser, lambda page: "51 to 100" in shown(page, ".fleet [role=status]")[0], "the next page")
    assert browser.current_url == f"{fleet.url}/fleet?page=2"
    assert_at_peace(browser, fleet)


def test_it_is_filtered_and_sorted_and_the_address_keeps_it(browser: WebDriver, fleet: RunningSite) -> None:
    visit(browser, fleet, "/fleet", ROW)
    browser.find_element(By.ID, "fleet-filter").send_keys("site-9 11.0.0")
    until(browser, lambda page: len(names(page)) == 9, "those of the site with that version")
    press(browser, By.CSS_SELECTOR, "[data-key=by-platform]")
    until(browser, has("th[aria-sort=ascending] [data-key=by-platform]"), "the order")
    press(browser, By.CSS_SELECTOR, "[data-key=by-platform]")
    until(browser, has("th[aria-sort=descending] [data-key=by-platform]"), "the other way")
    first = names(browser)
    assert first == sorted(first, key=lambda name: -int(name.rpartition("-")[2]))
    browser.refresh()
    until(browser, has(ROW), "the same again")
    assert names(browser) == first
    assert browser.find_element(By.ID, "fleet-filter").get_attribute("value") == "site-9 11.0.0"
    assert_at_peace(browser, fleet)


def test_a_platform_leads_to_its_agents_with_the_keyboard_alone(browser: WebDriver, fleet: RunningSite) -> None:
    visit(browser, fleet, "/fleet", ROW)
    browser.find_element(By.LINK_TEXT, "plant-7").send_keys(Keys.ARROW_DOWN)
    assert focused(browser) == "plant-8"
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    until(browser, lambda page: "crashed" in "".join(shown(page, "section:has(#agents-title)")), "its agents")
    assert browser.current_url == f"{fleet.url}/fleet?site=site-9&instance=plant-9"
    assert shown(browser, "#agents-title") == ["Agents of site-9 / plant-9"]
    assert shown(browser, "tr.current a.identity") == ["plant-9"]
    agent = browser.find_element(By.LINK_TEXT, "platform.driver")
    agent.send_keys(Keys.ENTER)
    until(browser, has(".tiles .mark.bad"), "the agent's page")
    assert shown(browser, "h1")[0].endswith("platform.driver on site-9 / plant-9")
    browser.back()
    until(browser, has("#agents-title"), "its agents again")
    browser.find_element(By.LINK_TEXT, "platform.driver").send_keys(Keys.ESCAPE)
    until(browser, lambda page: not has("#agents-title")(page), "the fleet alone")
    assert_at_peace(browser, fleet)


def test_a_phone_shows_it_without_sideways_scrolling(browser: WebDriver, fleet: RunningSite) -> None:
    look(browser, PHONE, "light")
    visit(browser, fleet, "/fleet?site=site-9&instance=plant-9", "#agents-title")
    assert browser.execute_script("return [innerWidth, document.documentElement.scrollWidth]") == [360, 360]
