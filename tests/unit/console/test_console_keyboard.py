"""The keyboard on every page: the way past the header, keys to pages, the search, rows and the list of all keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from console_browser import focused, shown, visit
from make_screenshots import has, until
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_console_browser import assert_at_peace

from voltscope.console.app import PAGES, STATIC

if TYPE_CHECKING:
    from console_site import RunningSite
    from selenium.webdriver.remote.webdriver import WebDriver


def keys(page: WebDriver, *pressed: str) -> None:
    page.switch_to.active_element.send_keys(*pressed)


def test_pages_are_the_same_for_server_and_browser() -> None:
    text = (STATIC / "js/pages.js").read_text()
    assert set(re.findall(r'path: "([^"]+)"', text)) == set(PAGES)
    letters = re.findall(r'key: "(.)"', text)
    assert len(letters) == len(set(letters)) == len(PAGES)


def test_the_first_stop_leads_past_the_header(browser: WebDriver, site: RunningSite) -> None:
    visit(browser, site, "/", "td .mark")
    keys(browser, Keys.TAB)
    assert focused(browser) == "Skip to content"
    assert browser.switch_to.active_element.rect["x"] >= 0  # it is seen
    keys(browser, Keys.ENTER)
    assert focused(browser) == "main"


def test_letters_lead_to_every_page(browser: WebDriver, site: RunningSite) -> None:
    visit(browser, site, "/", "td .mark")
    for letter, path in (("l", "/logs"), ("f", "/flamegraphs"), ("v", "/live"), ("s", "/fleet"), ("a", "/agent")):
        keys(browser, "g", letter)
        until(browser, lambda page, path=path: page.current_url.startswith(site.url + path), path)
        until(browser, has("main > *"), path)
        until(browser, lambda page: focused(page) == "main", "the focus")
    keys(browser, "go")
    until(browser, has("td .mark"), "the overview")
    assert_at_peace(browser, site)


def test_a_slash_goes_to_the_search_and_letters_typed_there_are_letters(browser: WebDriver, site: RunningSite) -> None:
    visit(browser, site, "/logs?since=7d", ".record")
    keys(browser, "/")
    assert focused(browser) == "q"
    keys(browser, "go?/")
    assert browser.find_element(By.ID, "q").get_attribute("value") == "go?/"
    assert not has("dialog[open]")(browser)
    visit(browser, site, "/fleet", ".fleet tbody tr")
    keys(browser, "/")
    assert focused(browser) == "fleet-filter"


def test_the_list_of_keys_opens_closes_and_can_turn_letters_off(browser: WebDriver, site: RunningSite) -> None:
    visit(browser, site, "/", "td .mark")
    button = browser.find_element(By.ID, "keys")
    button.send_keys(Keys.ENTER)
    until(browser, has("dialog[open]"), "the list")
    assert "Flamegraphs" in shown(browser, "dialog")[0]
    keys(browser, "gl")  # what is behind it stays where it is
    assert browser.current_url == f"{site.url}/"
    keys(browser, Keys.ESCAPE)
    until(browser, lambda page: not has("dialog[open]")(page), "its end")
    assert focused(browser) == "keys"
    keys(browser, "?")
    until(browser, has("dialog[open]"), "the list")
    browser.find_element(By.ID, "letters").send_keys(Keys.SPACE)
    keys(browser, Keys.ESCAPE)
    keys(browser, "gl?/")
    assert browser.current_url == f"{site.url}/" and not has("dialog[open]")(browser)
    browser.find_element(By.ID, "keys").send_keys(Keys.ENTER)
    browser.find_element(By.ID, "letters").send_keys(Keys.SPACE)
    keys(browser, Keys.ESCAPE, "gs")
    until(browser, lambda page: page.current_url == f"{site.url}/fleet", "the fleet")
    assert_at_peace(browser, site)


def test_arrows_walk_through_rows_and_records(browser: WebDriver, site: RunningSite) -> None:
    visit(browser, site, "/", "td .mark")
    names = shown(browser, "section:has(#agents-title) a.identity")
    browser.find_element(By.LINK_TEXT, names[0]).send_keys(Keys.END)
    assert focused(browser) == names[-1]
    keys(browser, Keys.ARROW_UP)
    assert focused(browser) == names[-2]
    keys(browser, Keys.HOME, Keys.ARROW_UP)
    assert focused(browser) == names[0]
    visit(browser, site, "/logs?since=7d", ".record")
    browser.find_element(By.CSS_SELECTOR, ".record summary").send_keys(Keys.ARROW_DOWN)
    at = "return [...document.querySelectorAll('.record')].indexOf(document.activeElement.closest('.record'))"
    assert browser.execute_script(at) == 1


# What was stepped on: whether it is seen to have the focus, by its outline or by a shape of its own.
_STEPS = """
window.steps = [];
document.addEventListener('focusin', ({target}) => {
  const box = getComputedStyle(target.matches('.choice input') ? target.nextElementSibling : target);
  const seen = box.outlineStyle !== 'none' || target.matches('.column, .function-box, iframe');
  window.steps.push([target.outerHTML.slice(0, 120), seen]);
});
document.querySelector('.brand').focus();
"""


@pytest.mark.parametrize(
    ("path", "ready"),
    [
        ("/", "td .mark"),
        ("/fleet", ".fleet tbody tr"),
        ("/agent?agent=listener", ".plots"),
        ("/logs?since=7d&q=locked", ".column"),
        ("/flamegraphs", "#captures-title, .viewer ~ section h2"),
        ("/live", ".plan p"),
    ],
)
def test_tab_goes_through_a_page_and_comes_round(browser: WebDriver, site: RunningSite, path: str, ready: str) -> None:
    visit(browser, site, path, ready)
    browser.execute_script(_STEPS)
    for _ in range(10):
        keys(browser, Keys.TAB * 20)
        steps = browser.execute_script("return window.steps")
        if any('class="skip"' in step for step, _ in steps):
            break
    assert any('class="skip"' in step for step, _ in steps)  # nothing kept the focus
    assert [step for step, seen in steps if not seen] == []
    assert len(steps) > 10
