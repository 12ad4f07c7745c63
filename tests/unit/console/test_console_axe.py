"""Every page as axe-core judges it: names, roles, headings, labels and contrast, in light and dark, without a fault."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from console_browser import press, shown, visit
from console_site import console_of, wait_for
from live_peer import AGENT, LivePeer, live_peer
from make_screenshots import has, until
from selenium.webdriver.common.by import By
from test_console_live_browser import begin, calls, crowd, flow_of, graph

if TYPE_CHECKING:
    from console_site import RunningSite
    from selenium.webdriver.remote.webdriver import WebDriver

    from voltscope.live.views import Update


@pytest.fixture(scope="module")
def peer() -> Iterator[LivePeer]:
    with live_peer() as serving:
        yield serving


@pytest.fixture(scope="module")
def live(site: RunningSite, peer: LivePeer) -> Iterator[RunningSite]:
    elsewhere = {"grafana": "https://grafana.example", "kibana": "https://kibana.example"}
    with console_of(site.site, profiler=peer.url, **elsewhere) as running:
        yield running


def test_login(browser: WebDriver, site: RunningSite, judged: Callable[[], None]) -> None:
    browser.get(f"{site.url}/login")
    until(browser, has("form.card"), "the form")
    judged()
    browser.execute_script("document.querySelector('label[for=name]').remove()")
    with pytest.raises(AssertionError, match="label"):  # it does judge
        judged()


def test_overview_and_the_list_of_keys(browser: WebDriver, site: RunningSite, judged: Callable[[], None]) -> None:
    visit(browser, site, "/", "td .spark :is(.line, .dot)")
    judged()
    press(browser, By.ID, "keys")
    until(browser, has("dialog[open]"), "the list")
    judged()


def test_agent(browser: WebDriver, site: RunningSite, judged: Callable[[], None]) -> None:
    since, end = int(site.past_until - 9000), int(time.time())
    visit(browser, site, f"/agent?agent={AGENT}&since={since}&until={end}", ".plot canvas")
    until(browser, has(".agent-errors :is(.hint, .record)"), "its errors")
    until(browser, has(".event"), "what happened")
    judged()


def test_logs(browser: WebDriver, site: RunningSite, judged: Callable[[], None]) -> None:
    visit(browser, site, "/logs?since=7d&q=level:error", ".facet[aria-pressed=true]")
    press(browser, By.CSS_SELECTOR, ".record summary")
    until(browser, has(".more"), "an open record")
    until(browser, has(".column"), "the bars")
    judged()
    visit(browser, site, "/logs?since=7d&view=patterns", ".patterns")
    press(browser, By.XPATH, "//summary[.='Saved']")
    until(browser, has(".saved li"), "saved searches")
    judged()


def test_flamegraphs(browser: WebDriver, site: RunningSite, judged: Callable[[], None]) -> None:
    with site.client() as client:
        number = client.post("/api/captures", json={"agent": AGENT, "seconds": 1}).json()["id"]
        wait_for(lambda: client.get(f"/api/captures/{number}").json()["state"] == "done", "the capture")
    visit(browser, site, f"/flamegraphs?id={number}", "#functions-title")
    until(browser, has("#captures-title"), "the list")
    judged()
    visit(browser, site, f"/flamegraphs?view=compare&before={number}&after={number}", "#changes-title")
    judged()


@pytest.mark.parametrize(
    ("view", "document", "ready"),
    [
        ("greenlets", crowd(100.0, 200, 20), "tr.group"),
        ("call-graph", graph(100, 4), ".callgraph .function-box"),
        ("flow", flow_of(0, 200), ".step"),
        ("syscalls", calls(10), ".bubble .disc[r]"),
    ],
)
def test_live(
    browser: WebDriver,
    live: RunningSite,
    peer: LivePeer,
    judged: Callable[[], None],
    view: str,
    document: Update,
    ready: str,
) -> None:
    begin(browser, live, peer, view).tell(document)
    until(browser, has(ready), ready)
    judged()


def test_fleet(browser: WebDriver, fleet: RunningSite, judged: Callable[[], None]) -> None:
    visit(browser, fleet, "/fleet?site=site-9&instance=plant-9", "#agents-title")
    until(browser, lambda page: len(shown(page, ".fleet tbody tr")) == 50, "the platforms")
    judged()
