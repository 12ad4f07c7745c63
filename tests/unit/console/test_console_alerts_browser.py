"""The Alerts page in a real browser, in front of alertd and a real Alertmanager."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec
import pytest
from alertd_rig import CRASHED, Rig
from console_browser import press, shown, visit
from console_site import HOSTILE, VIEWER, console_of, wait_for
from make_screenshots import PHONE, has, look, until
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from servers.alertmanager import AlertmanagerServer
from servers.missing import PeerMissing, without
from test_console_browser import assert_at_peace

if TYPE_CHECKING:
    from console_site import RunningSite
    from selenium.webdriver.remote.webdriver import WebDriver

ROW = ".alerts-view tbody tr"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """alertd beside Alertmanager, and two alerts: one in order, one that wants to be more than text."""
    folder = tmp_path_factory.mktemp("alerts")
    try:
        server = AlertmanagerServer(folder)
    except PeerMissing as error:
        without(error)
    server.start()
    rig = Rig(folder, server)
    rig.rules.fire(CRASHED, {"summary": "The historian crashed", "description": "It ended with an error."})
    rig.rules.fire(
        {**CRASHED, "alertname": "VolttronBusAlert", "severity": "warning", "agent": "listener"},
        {"summary": HOSTILE, "description": HOSTILE * 40, "runbook_url": "http://[hostile"},
    )
    rig.rules.fire({"alertname": "Watchdog", "severity": "info", "site": "campus"})
    wait_for(lambda: len(rig.client.get("/api/alerts")["alerts"]) >= 2, "both alerts")
    try:
        yield rig
    finally:
        rig.stop()
        server.stop()


@pytest.fixture(scope="module")
def alerts(site: RunningSite, rig: Rig) -> Iterator[RunningSite]:
    """A console of the site that has this alertd."""
    with console_of(msgspec.structs.replace(site.site, site="campus"), alertd=rig.alertd.url) as running:
        yield running


def fingerprint(rig: Rig, name: str) -> str:
    found: list[str] = [one["id"] for one in rig.client.get("/api/alerts")["alerts"] if one["name"] == name]
    return found[0]


def test_what_goes_on_is_listed_the_worst_first_and_opens(browser: WebDriver, alerts: RunningSite, rig: Rig) -> None:
    visit(browser, alerts, "/alerts", ROW)
    assert shown(browser, f"{ROW} a.identity")[:2] == ["VolttronAgentCrashed", "VolttronBusAlert"]
    assert "platform.historian on boiler-house, campus" in shown(browser, ROW)[0]
    browser.find_element(By.ID, "alert-text").send_keys("listener")
    until(browser, lambda page: shown(page, f"{ROW} a.identity") == ["VolttronBusAlert"], "the search")
    press(browser, By.LINK_TEXT, "VolttronBusAlert")
    until(browser, has(".alert-detail:not([hidden]) dl"), "the alert")
    assert browser.current_url.endswith(f"/alerts?q=listener&alert={fingerprint(rig, 'VolttronBusAlert')}")
    assert "<script>" in shown(browser, ".alert-body .strong")[0] and browser.title != "owned"
    assert shown(browser, ".alert-body .links code") == ["http://[hostile"]
    assert_at_peace(browser, alerts)


def test_an_operator_takes_it_in_hand_and_back_and_alertmanager_knows(
    browser: WebDriver, alerts: RunningSite, rig: Rig
) -> None:
    crashed = fingerprint(rig, "VolttronAgentCrashed")
    visit(browser, alerts, f"/alerts?alert={crashed}", ".alert-actions button.primary")
    until(browser, has(".alert-detail:not([hidden])"), "the alert")
    press(browser, By.CSS_SELECTOR, ".alert-actions button.primary")  # without a reason nothing happens
    why = browser.find_element(By.ID, "alert-why")
    why.send_keys("I look at it" + Keys.ENTER)
    until(browser, lambda page: "Take back" in shown(page, ".alert-actions button"), "the acknowledgement")
    wait_for(lambda: rig.silenced_in_alertmanager(crashed), "the silence")
    assert rig.client.alert(crashed)["acknowledgement"]["by"] == "operator"  # type: ignore[index]
    until(browser, lambda page: "I look at it" in "".join(shown(page, ROW)), "who has it")
    browser.find_element(By.ID, "alert-why").send_keys("not mine")
    press(browser, By.CSS_SELECTOR, ".alert-actions button.primary")
    wait_for(lambda: rig.client.state(crashed) == "firing", "its return")
    until(browser, lambda page: "Acknowledge" in shown(page, ".alert-actions button"), "the button")
    visit(browser, alerts, "/alerts?view=audit", ROW)
    assert any(all(word in line for word in ("not mine", "operator", "127.0.0.1")) for line in shown(browser, ROW))
    assert_at_peace(browser, alerts)


def test_a_viewer_sees_and_cannot_act(browser: WebDriver, alerts: RunningSite, rig: Rig) -> None:
    crashed = fingerprint(rig, "VolttronAgentCrashed")
    visit(browser, alerts, f"/alerts?alert={crashed}", ".alert-detail:not([hidden]) dl", VIEWER)
    assert not has(".alert-actions")(browser)
    visit(browser, alerts, "/alerts?view=silences", "#standing-title", VIEWER)
    assert not has("form.filters")(browser)
    with alerts.client(VIEWER) as client:
        assert client.post("/api/alerts/acknowledgements", json={"alert": crashed, "why": "x"}).status_code == 403


def test_silences_and_maintenance_are_made_and_ended(browser: WebDriver, alerts: RunningSite, rig: Rig) -> None:
    visit(browser, alerts, "/alerts?view=silences", "#silence-title")
    browser.find_element(By.ID, "silence-0").send_keys("agent=nobody\nsite=~camp.*")
    browser.find_element(By.ID, "silence-2").send_keys("a drill" + Keys.ENTER)
    until(browser, lambda page: any("agent=nobody site=~camp.*" in line for line in shown(page, ROW)), "the silence")
    browser.find_element(By.ID, "maintenance-1").send_keys("barn")
    browser.find_element(By.ID, "maintenance-5").send_keys("a new roof" + Keys.ENTER)
    until(browser, lambda page: any("a new roof" in line for line in shown(page, ROW)), "the maintenance")
    press(browser, By.XPATH, "//tr[contains(., 'agent=nobody')]//summary")
    browser.find_element(By.CSS_SELECTOR, ".ending[open] input").send_keys("over" + Keys.ENTER)
    wait_for(lambda: rig.client.get("/api/silences")["silences"] == [], "its end")
    until(browser, lambda page: not any("agent=nobody" in line for line in shown(page, ROW)), "the list without it")
    assert_at_peace(browser, alerts)


def test_what_was_is_found_in_history_and_timeline(browser: WebDriver, alerts: RunningSite, rig: Rig) -> None:
    stopped = rig.rules.fire({**CRASHED, "alertname": "VolttronAgentStopped", "agent": "gone", "severity": "info"})
    wait_for(lambda: rig.client.alert(stopped), "the alert")
    rig.rules.resolve(stopped)
    wait_for(lambda: rig.client.alert(stopped) is None, "its end")
    visit(browser, alerts, "/alerts?view=timeline", ".lane .bar-of.info")
    press(browser, By.CSS_SELECTOR, ".lane a[aria-label^=VolttronAgentStopped]")
    until(browser, lambda page: shown(page, "#alert-title") == ["VolttronAgentStopped"], "the occurrence")
    assert "view=history" in browser.current_url
    assert not browser.find_element(By.CSS_SELECTOR, ".alert-actions").is_displayed()
    assert "gone on boiler-house" in "".join(shown(browser, f"{ROW}.current"))
    visit(browser, alerts, f"/alerts?alert={stopped}", "#alert-title")  # as a mail of an hour ago leads here
    until(browser, lambda page: shown(page, "#alert-title") == ["VolttronAgentStopped"], "what was")
    assert "over" in shown(browser, ".alert-body dd") and not has(f"{ROW}.current")(browser)
    assert_at_peace(browser, alerts)


def test_overview_fleet_and_agent_lead_to_the_alerts_of_what_they_show(
    browser: WebDriver, alerts: RunningSite, rig: Rig
) -> None:
    visit(browser, alerts, "/", ".tile a[href^='/alerts']")
    until(browser, lambda page: shown(page, ".tile a[href^='/alerts']")[0].endswith("firing"), "how many fire")
    press(browser, By.CSS_SELECTOR, ".tile a[href^='/alerts']")
    until(browser, has(ROW), "the alerts")
    assert shown(browser, f"{ROW} a.identity") == ["VolttronAgentCrashed", "VolttronBusAlert"]
    assert_at_peace(browser, alerts)


def test_labels_that_somebody_unfolded_stay_so(browser: WebDriver, alerts: RunningSite, rig: Rig) -> None:
    visit(browser, alerts, f"/alerts?alert={fingerprint(rig, 'VolttronAgentCrashed')}", ".alert-labels summary")
    press(browser, By.CSS_SELECTOR, ".alert-labels summary")
    before = shown(browser, ".alert-body .strong")
    rig.rules.fire(CRASHED, {"summary": "The historian crashed again", "description": "It ended with an error."})
    until(browser, lambda page: shown(page, ".alert-body .strong") != before, "the new words")
    assert has(".alert-labels[open]")(browser)


def test_a_long_list_grows_by_pages(browser: WebDriver, alerts: RunningSite, rig: Rig) -> None:
    for number in range(101):
        rig.client.post("/api/acknowledgements", {"alert": f"{number:016x}", "why": "a drill"}, status=404)
    visit(browser, alerts, "/alerts?view=audit", ROW)
    assert len(shown(browser, ROW)) == 100
    press(browser, By.XPATH, "//button[.='Older ones']")
    until(browser, lambda page: len(shown(page, ROW)) > 100, "the next page")
    assert_at_peace(browser, alerts)


def test_alertmanager_away_is_said(browser: WebDriver, alerts: RunningSite, rig: Rig) -> None:
    rig.server.stop()
    try:
        visit(browser, alerts, "/alerts", ROW)
        until(browser, has(".notice.bad"), "the warning")
        assert "Alertmanager does not answer" in shown(browser, ".notice.bad")[0]
    finally:
        rig.server.start()
        rig.rules.repeat()


def test_a_site_without_alertd_says_what_to_do(browser: WebDriver, site: RunningSite) -> None:
    visit(browser, site, "/alerts", ".notice")
    assert "voltscope alertd" in shown(browser, ".notice")[0]


def test_a_phone_shows_it_without_sideways_scrolling(browser: WebDriver, alerts: RunningSite, rig: Rig) -> None:
    look(browser, PHONE, "dark")
    for view in (f"?alert={fingerprint(rig, 'VolttronBusAlert')}", "?view=timeline", "?view=history", "?view=silences"):
        visit(browser, alerts, f"/alerts{view}", ".alerts-view :is(tr, .lane, h2)")
        width, whole = browser.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
        assert whole == width, view


@pytest.mark.parametrize("view", ["now", "timeline", "history", "silences", "audit"])
def test_axe_finds_no_fault(
    browser: WebDriver, alerts: RunningSite, rig: Rig, judged: Callable[[], None], view: str
) -> None:
    opened = f"&alert={fingerprint(rig, 'VolttronAgentCrashed')}" if view == "now" else ""
    ready = {"now": ".alert-evidence h3", "timeline": ".lane", "silences": "#standing-title"}.get(view, "tr, .hint")
    visit(browser, alerts, f"/alerts?view={view}{opened}", ready)
    judged()
