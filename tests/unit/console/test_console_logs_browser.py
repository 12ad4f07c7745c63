"""The Logs page as people use it, in a real headless Chromium: narrowing, zooming, looking around, and bad records."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from console_browser import press
from console_site import OPERATOR, VIEWER
from make_screenshots import PHONE, has, log_in, look, until
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import staleness_of
from test_console_browser import assert_at_peace, text

if TYPE_CHECKING:
    from console_site import RunningSite
    from selenium.webdriver.remote.webdriver import WebDriver

STACK = (
    "Traceback (most recent call last):\n" + '  File "deep.py", line 1, in recurse\n' * 280_000 + "RecursionError: deep"
)
RECORDS = (
    "script <script>document.title='owned'</script><svg onload=alert(1)> \"'><img src=x onerror=alert(1)>",
    "escape \x1b]0;title\x07\x1b[2J\x9b31m \x00 \u202egnp.exe \u2066x\u2069 \u200b \ufeff",
    "utf8 \ufffd\ufffd\udc80".encode("utf-8", "replace").decode() + " =HYPERLINK(1)",
    "line " + "x" * 900_000,
)


@pytest.fixture(scope="module")
def around() -> float:
    """When the made-up minute of trouble was, seconds since the epoch."""
    return time.time() - 7200


@pytest.fixture
def page(browser: WebDriver, site: RunningSite, around: float) -> Iterator[WebDriver]:
    """A browser that is logged in, before a log with some trouble two hours ago."""
    with site.client(VIEWER) as client:
        known = client.get("/api/logs", params={"q": "agent=valve"}).json()["records"]
    if not known:
        for second in range(30):
            site.logs.write("pump", 20, f"turning {second}", around + second)
            site.logs.write("valve", 40 if second % 2 else 30, f"stuck at {second}", around + second + 0.5)
        for number, message in enumerate(RECORDS):
            site.logs.write("hostile", 30, message, around + 100 + number)
        site.logs.write("hostile", 40, f"stack\n{STACK}", around + 110)
        site.logs.write("hostile", 20, "future", time.time() + 86400 * 365)
    log_in(browser, site.url, *OPERATOR)
    until(browser, has("td .mark"), "the overview")
    yield browser


def go(page: WebDriver, site: RunningSite, **asked: object) -> None:
    """Open the Logs page and wait until all of it is there."""
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    page.get(f"{site.url}/logs?{query}")
    settle(page)


def settle(page: WebDriver) -> None:
    """Wait for what is loaded last, so that nothing moves any more."""
    until(page, has(".picture .column"), "the histogram")
    until(page, has("#agent option:nth-child(2)"), "the agents")


def asked(page: WebDriver) -> dict[str, str]:
    """What the address asks for."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.current_url).query).items()}


def go_back(page: WebDriver) -> None:
    """As the browser's button does, and wait until the page has been made anew."""
    before = page.find_element(By.CSS_SELECTOR, "main > form")
    page.back()
    until(page, staleness_of(before), "the page of before")
    settle(page)


def wait_for_records(page: WebDriver, count: int) -> None:
    until(
        page,
        lambda driver: len(driver.find_elements(By.CSS_SELECTOR, ".found ~ .records > .record")) == count,
        "records",
    )


def test_hostile_records_are_text_and_a_stack_of_ten_megabytes_is_cut(page: WebDriver, site: RunningSite) -> None:
    go(page, site, since="7d", agent="hostile")
    wait_for_records(page, len(RECORDS) + 2)
    page.execute_script("document.querySelectorAll('.record summary').forEach(line => line.click())")
    until(page, lambda driver: len(driver.find_elements(By.CSS_SELECTOR, "pre.full")) == len(RECORDS) + 2, "all open")
    future, stack, long, utf8, escape, script = text(page, "pre.full")
    assert (future, stack) == ("future", "stack")
    assert script == RECORDS[0]
    assert escape == r"escape \x1b]0;title\x07\x1b[2J\x9b31m \x00 \u202egnp.exe \u2066x\u2069 \u200b \ufeff"
    assert utf8.startswith("utf8 \ufffd\ufffd") and len(long) < 10_000
    assert page.find_elements(By.CSS_SELECTOR, "main script, main img, main .records svg[onload]") == []
    assert page.title.startswith("Logs")
    shown = len(text(page, "pre.stack")[0])
    assert shown < 100_000
    press(page, By.XPATH, "//pre[@aria-label='Traceback']/..//button[.='Show more']")
    until(page, lambda driver: len(text(driver, "pre.stack")[0]) > shown + 100_000, "more of it")
    assert STACK.startswith(text(page, "pre.stack")[0])
    download = page.find_element(By.XPATH, "//pre[@aria-label='Traceback']/..//a").get_attribute("href")
    with site.client(VIEWER) as client:
        assert client.get(download).text == STACK
    assert_at_peace(page, site)


def test_a_click_on_a_value_narrows_and_another_widens(page: WebDriver, site: RunningSite) -> None:
    go(page, site, since="7d", q="turning or stuck")
    press(page, By.CSS_SELECTOR, "[data-key='only agent=\"valve\"']")
    wait_for_records(page, 30)
    assert asked(page)["q"] == '(turning or stuck) and agent="valve"'
    until(page, has("[data-key='only agent=\"valve\"'][aria-pressed=true]"), "the value pressed")
    press(page, By.CSS_SELECTOR, "[data-key='not level:error']")
    wait_for_records(page, 15)
    assert asked(page)["q"] == '(turning or stuck) and agent="valve" and not level:error'
    go_back(page)
    wait_for_records(page, 30)
    until(page, has("[data-key='only agent=\"valve\"'][aria-pressed=true]"), "the value still pressed")
    press(page, By.CSS_SELECTOR, "[data-key='only agent=\"valve\"']")
    wait_for_records(page, 60)
    assert asked(page)["q"] == "turning or stuck"


def test_filters_are_put_in_and_taken_out_of_any_query(page: WebDriver, site: RunningSite) -> None:
    script = """
    const [work, done] = [arguments[0], arguments[arguments.length - 1]];
    import("/static/js/logs-query.js").then(({ added, removed, has, clause }) => done(work.map(work => {
      const [text, field, value] = work;
      const part = clause(field, value);
      const made = added(text, part);
      return [made, has(made, part), removed(made, part), has(text, part)];
    })));
    """
    work = [
        ["", "agent", "a.b"],
        ["x or y", "level", "error"],
        ["(x or (y and z)) and w", "level", "error"],
        ['"this or that"', "logger", "l"],
        ['not agent="a.b"', "agent", "a.b"],
        ["pump", "error", 'say "x"'],
    ]
    assert page.execute_async_script(script, work) == [
        ['agent="a.b"', True, "", False],
        ["(x or y) and level:error", True, "x or y", False],
        ["(x or (y and z)) and w and level:error", True, "(x or (y and z)) and w", False],
        ['"this or that" and logger="l"', True, '"this or that"', False],
        ['not agent="a.b" and agent="a.b"', True, 'not agent="a.b"', False],
        ['pump and error:"say  x "', True, "pump", False],
    ]


def test_keys_and_mouse_zoom_into_the_histogram(page: WebDriver, site: RunningSite, around: float) -> None:
    go(page, site, since=int(around - 60), until=int(around + 60), q="stuck")
    page.find_element(By.CSS_SELECTOR, ".picture .column[tabindex='0']").send_keys(Keys.HOME)
    first = page.switch_to.active_element
    assert first.get_attribute("role") == "option" and "records" in first.get_attribute("aria-label")
    first.send_keys(Keys.SHIFT, Keys.ARROW_RIGHT)
    assert len(page.find_elements(By.CSS_SELECTOR, ".picture [aria-selected=true]")) == 2
    page.switch_to.active_element.send_keys(Keys.ESCAPE, Keys.END, Keys.ENTER)
    until(page, lambda driver: float(asked(driver)["since"]) > around, "the last span alone")
    go_back(page)
    assert asked(page)["since"] == str(int(around - 60))
    wait_for_records(page, 30)
    until(page, has(".picture .of-error"), "the histogram again")
    bars = page.find_elements(By.CSS_SELECTOR, ".picture .column:has(.of-error)")
    ActionChains(page).drag_and_drop(bars[0], bars[-1]).perform()
    until(page, lambda driver: around - 60 < float(asked(driver)["since"]) <= around + 2, "the trouble alone")
    assert around + 28 <= float(asked(page)["until"]) < around + 60
    press(page, By.XPATH, "//button[.='Zoom out']")
    until(page, lambda driver: float(asked(driver)["since"]) < around, "a wider look")
    assert_at_peace(page, site)


def test_what_stands_around_a_record_opens_below_it(page: WebDriver, site: RunningSite) -> None:
    go(page, site, since="7d", q='"stuck at 15"')
    wait_for_records(page, 1)
    press(page, By.CSS_SELECTOR, ".record summary")
    press(page, By.CSS_SELECTOR, "button[aria-label='Around it: all agents']")
    until(page, has(".around .record.here"), "its neighbours")
    near = text(page, ".around .message")
    assert near[near.index("stuck at 15") - 1 :][:3] == ["turning 15", "stuck at 15", "turning 16"]
    press(page, By.CSS_SELECTOR, "button[aria-label='Around it: this agent']")
    until(page, lambda driver: set(text(driver, ".around .agent")) == {"valve"}, "those of its agent")
    assert page.find_elements(By.CSS_SELECTOR, ".way-on a[href='/flamegraphs?agent=valve']")


def test_a_search_is_saved_used_and_shared(page: WebDriver, site: RunningSite) -> None:
    go(page, site, since="6h", q="agent=valve and level>=error")
    press(page, By.CSS_SELECTOR, ".menu summary")
    until(page, has("#save-name"), "the saved searches")
    page.find_element(By.ID, "save-name").send_keys("Valves" + Keys.ENTER)
    until(page, lambda driver: "Valves" in " ".join(text(driver, ".pick")), "ours among them")
    go(page, site, since="2d")
    assert asked(page)["since"] == page.find_element(By.ID, "since").get_attribute("value") == "2d"
    press(page, By.CSS_SELECTOR, ".menu summary")
    until(page, has(".pick"), "the saved searches")
    press(page, By.XPATH, "//button[contains(., 'Valves')]")
    wait_for_records(page, 15)
    assert asked(page) == {"q": "agent=valve and level>=error", "since": "6h"}
    page.execute_script(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: text => {window.kept = text}}})"
    )
    press(page, By.XPATH, "//button[.='Copy link']")
    until(page, lambda driver: "Copied" in text(driver, ".said")[0], "word of it")
    link = parse_qs(urlsplit(page.execute_script("return window.kept")).query)
    assert link["q"] == ["agent=valve and level>=error"]
    assert float(link["until"][0]) - float(link["since"][0]) == pytest.approx(6 * 3600, abs=60)
    with site.client(VIEWER) as client:
        found = client.get(f"/api/logs?{urlsplit(page.execute_script('return window.kept')).query}").json()
    assert len(found["records"]) == 15
    press(page, By.CSS_SELECTOR, ".menu summary")
    until(page, has("button[aria-label='Delete Valves']"), "the way to delete it")
    press(page, By.CSS_SELECTOR, "button[aria-label='Delete Valves']")
    until(page, lambda driver: "Valves" not in " ".join(text(driver, ".pick")), "it gone")
    assert_at_peace(page, site)


def test_patterns_and_changes_lead_back_to_records(page: WebDriver, site: RunningSite, around: float) -> None:
    go(page, site, since="7d", q="turning or stuck")
    press(page, By.ID, "tab-patterns")
    until(page, lambda driver: "turning <num>" in " ".join(text(driver, ".template")), "templates")
    assert asked(page)["view"] == "patterns"
    press(page, By.CSS_SELECTOR, "#view-patterns tbody tr button")
    wait_for_records(page, 30)
    go(page, site, since="7d", q="turning or stuck", view="changes", at=int(around), window="5m")
    until(page, lambda driver: "appeared" in " ".join(text(driver, "#view-changes tbody th")), "what appeared")
    page.find_element(By.ID, "tab-changes").send_keys(Keys.ARROW_LEFT)
    assert page.switch_to.active_element.get_attribute("id") == "tab-patterns"
    assert_at_peace(page, site)


def test_a_phone_shows_all_of_it_without_sideways_scrolling(page: WebDriver, site: RunningSite, around: float) -> None:
    look(page, PHONE, "dark")
    for view in ("records", "patterns", "changes"):
        go(page, site, since="7d", view=view, at=int(around), window="5m")
        until(
            page, has("#view-changes tbody tr" if view == "changes" else f"#view-{view} .record, #view-{view} tr"), view
        )
        page.execute_script("document.querySelectorAll('details').forEach(part => part.open = true)")
        assert page.execute_script("return document.documentElement.scrollWidth") <= 360, view
