"""The Live page in a real browser: four views of what a profiler tells, hostile names and crowds included."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from console_browser import press
from console_site import OPERATOR, VIEWER, console_of
from live_peer import AGENT, CODE, LivePeer, Session, live_peer
from make_screenshots import PHONE, has, look, until
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from servers.missing import without
from test_console_browser import assert_at_peace, faint, text

from voltscope.console import vendor
from voltscope.errors import VoltscopeError
from voltscope.live.views import (
    Block,
    CallGraph,
    Edge,
    Flow,
    Greenlet,
    Greenlets,
    Node,
    Place,
    Step,
    Switches,
    Syscall,
    Syscalls,
)

if TYPE_CHECKING:
    from console_site import RunningSite
    from selenium.webdriver.remote.webdriver import WebDriver

HOSTILE = "<img src=x onerror=alert(1)>\u202e" + "n" * 10_000
STORE = Place("store", CODE["file"], 71)
PLACES = (
    Place("main", "/opt/agents/historian.py", 90),
    STORE,
    Place(HOSTILE, "/opt/agents/<b>evil</b>.py", 3),
    Place("Hub.run", "/usr/lib/python3/site-packages/gevent/hub.py", 647),
)


@pytest.fixture(scope="module")
def peer() -> Iterator[LivePeer]:
    with live_peer() as serving:
        yield serving


@pytest.fixture(scope="module")
def live(site: RunningSite, peer: LivePeer) -> Iterator[RunningSite]:
    with console_of(site.site, profiler=peer.url) as running:
        yield running


def enter(browser: WebDriver, live: RunningSite, view: str, who: tuple[str, str] = OPERATOR) -> None:
    """Go to a view of the agent with a session of `who`."""
    with live.client(who) as client:
        for name, value in client.cookies.items():
            browser.execute_cdp_cmd("Network.setCookie", {"name": name, "value": value, "url": live.url})
    browser.get(f"{live.url}/live?agent={AGENT}&view={view}")
    until(browser, has("#agent option"), "the agents")


def begin(browser: WebDriver, live: RunningSite, peer: LivePeer, view: str) -> Session:
    """Have a view of the agent begun by the page's own button."""
    peer.forget()
    enter(browser, live, view)
    press(browser, By.CSS_SELECTOR, "form.filters button.primary")
    until(browser, has(".session-state .good"), "the session")
    assert peer.session().document["view"] == view
    return peer.session()


def hostile_markup(browser: WebDriver) -> list[str]:
    found: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('main :is(img, script, b)')].map(node => node.outerHTML)"
    )
    return found


def graph(samples: int, functions: int) -> CallGraph:
    """`functions` of PLACES, each calling the next."""
    nodes = tuple(Node(n, PLACES[n], 0.1 * (n + 1), 1 - 0.2 * n) for n in range(functions))
    edges = tuple(Edge(n, n + 1, samples - n) for n in range(functions - 1))
    return CallGraph(
        at=1.0, seconds=2.0, samples=samples, unit="samples", nodes=nodes, edges=edges, left_out=0
    )  # fmt: skip


def test_before_it_begins_it_says_by_what_and_at_what_price(
    browser: WebDriver, live: RunningSite, peer: LivePeer
) -> None:
    peer.forget()
    enter(browser, live, "flow")
    until(browser, has(".plan .mark"), "the plan")
    plan = browser.find_element(By.CSS_SELECTOR, ".plan").get_attribute("textContent") or ""
    assert "sample sampled, about 1 % slower. Looked at 100 times a second." in plan
    assert "probe (exact): The greenlet probe is not enabled here: run `voltscope probe enable`" in plan
    Select(browser.find_element(By.ID, "agent")).select_by_value("platform.driver")
    until(browser, has(".plan .notice.warning"), "that nothing can")
    assert "another user" in text(browser, ".plan")[0]
    assert not browser.find_element(By.CSS_SELECTOR, "form.filters button.primary").is_enabled()
    assert browser.current_url == f"{live.url}/live?agent=platform.driver&view=flow"
    assert_at_peace(browser, live)


def test_a_session_begins_ends_and_begins_again(browser: WebDriver, live: RunningSite, peer: LivePeer) -> None:
    begin(browser, live, peer, "syscalls")
    assert "left" in text(browser, ".session-head")[0]
    press(browser, By.XPATH, "//button[.='Stop']")
    until(browser, lambda page: "stopped" in text(page, ".session-head")[0], "the end")
    press(browser, By.XPATH, "//button[.='Start']")
    until(browser, lambda page: len(peer.sessions) == 2, "the next session")
    again = peer.session()
    until(browser, has(".session-state .good"), "that it runs")
    press(browser, By.XPATH, "//button[.='Restart']")
    until(browser, lambda page: len(peer.sessions) == 3, "the third session")
    assert again.document["ended"] == "stopped"
    browser.refresh()  # whoever comes back finds it as it goes on
    until(browser, has(".session-state .good"), "the session under way")
    assert len(peer.sessions) == 3
    peer.session().end("target-ended")
    until(browser, lambda page: "the agent's process ended" in text(page, ".session-head")[0], "why it ended")


def test_the_call_graph_is_drawn_and_what_is_drawn_stays_where_it_is(
    browser: WebDriver, live: RunningSite, peer: LivePeer
) -> None:
    try:
        vendor.fetch("dagre")
    except VoltscopeError as error:
        without(str(error))
    session = begin(browser, live, peer, "call-graph")
    session.tell(graph(100, 3))
    until(browser, lambda page: len(page.find_elements(By.CSS_SELECTOR, ".function-box[transform]")) == 3, "the graph")
    moved = "return document.querySelector('.function-box').getAttribute('transform')"
    before = browser.execute_script(moved)
    session.tell(graph(200, 3))
    until(browser, lambda page: "200 samples" in text(page, ".view > .hint")[0], "more samples")
    assert browser.execute_script(moved) == before
    assert browser.find_element(By.CSS_SELECTOR, ".counts text").get_attribute("textContent") == "200"
    session.tell(graph(300, 4))
    until(browser, lambda page: len(page.find_elements(By.CSS_SELECTOR, ".function-box[transform]")) == 4, "one more")
    assert browser.execute_script(moved) == before  # the one with the most time stays where it is
    press(browser, By.CSS_SELECTOR, "[data-key='node-1']")
    until(browser, has(".code .here"), "the source")
    assert text(browser, ".code .here") == ["71\n    '<b>store</b>'"]
    until(browser, has(".view .chosen .neighbours"), "callers and callees")
    assert "Called by\n300\nmain" in text(browser, ".view .chosen")[0].replace("\n\n", "\n")
    browser.find_element(By.CSS_SELECTOR, "[data-key='node-1']").send_keys(Keys.ARROW_UP, Keys.ENTER)
    until(browser, lambda page: "90" in text(page, ".source-head")[0], "the caller's source")
    browser.find_element(By.ID, "graph-filter").send_keys("hub")
    until(browser, lambda page: len(text(page, "tbody tr")) == 1, "the one in the table")
    assert hostile_markup(browser) == []
    assert_at_peace(browser, live)


def flow_of(first: int, calls: int, dropped: int = 0) -> Flow:
    """Calls of `store` by `main`, two steps each, in two greenlets in turn."""
    steps = []
    for number in range(first, first + calls):
        at, track = number / 1000, number // 50 % 2
        if number % 50 == 0:
            steps.append(Step(at, track, "call", 0, 90, 0))
        steps += [Step(at, track, "call", 1, 71, 1), Step(at + 0.0004, track, "return", 1, 72, 1)]
        if number % 50 == 49:
            steps.append(Step(at + 0.0005, track, "return", 0, 95, 0))
    return Flow(
        at=1.0, steps=tuple(steps), places={0: PLACES[0], 1: STORE}, tracks={0: "a", 1: HOSTILE}, dropped=dropped
    )


def test_fifty_thousand_steps_of_a_flow_are_walked(browser: WebDriver, live: RunningSite, peer: LivePeer) -> None:
    session = begin(browser, live, peer, "flow")
    for first in range(0, 24_000, 4_000):
        session.tell(flow_of(first, 4_000))
    until(browser, lambda page: "48\u202f960 steps" in text(page, ".flow-view .panel > .hint")[0], "all steps")
    assert len(browser.find_elements(By.CSS_SELECTOR, ".step")) < 120
    rows = browser.find_element(By.CSS_SELECTOR, ".flow-list")
    until(browser, lambda page: "23.9994" in text(page, ".step .when"), "the newest, followed")
    press(browser, By.XPATH, "//button[.='Pause the view']")
    session.tell(flow_of(24_000, 50, dropped=77))
    until(browser, lambda page: "102 behind" in text(page, ".flow-view .panel > .hint")[0], "what waits")
    press(browser, By.XPATH, "//button[.='Pause the view']")
    press(browser, By.XPATH, "//button[.='Fold all']")
    until(browser, has(".gap-row"), "the gap")
    assert "77 steps are missing here" in text(browser, ".gap-row")[0]
    folded = {"agents/historian.py:90"}
    until(browser, lambda page: set(text(page, ".step .where")) == folded, "nothing but the outermost calls")
    rows.send_keys(Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    until(browser, has(".step.current[aria-level='2']"), "the call inside")
    assert text(browser, ".step.current .took") == ["400 µs"]
    twice = (
        "const at = document.querySelector('.step.current .function'); for (let n = 0; n < 2; n += 1) at.dispatchEvent("
    )
    browser.execute_script(twice + "new MouseEvent('click', {bubbles: true}))")
    until(browser, has(".code .here"), "the source by a double click")
    browser.find_element(By.ID, "flow-search").send_keys("main", Keys.ENTER)
    until(browser, has(".step.current.match[aria-level='1']"), "what is searched for")
    assert hostile_markup(browser) == []
    assert_at_peace(browser, live)


def calls(count: int) -> Syscalls:
    read = Syscall(name="read", count=9 * count, recent=900.0, errors=count, seconds=0.01, slowest_s=0.001)
    quiet = Syscall(name="fsync", count=count, recent=0.5, errors=0, seconds=0.4, slowest_s=0.02)
    odd = Syscall(name=HOSTILE, count=1, recent=0.0, errors=None, seconds=None, slowest_s=None)
    return Syscalls(at=1.0, seconds=3.0, calls=(read, quiet, odd))


def test_busy_system_calls_are_large_and_the_table_sorts(browser: WebDriver, live: RunningSite, peer: LivePeer) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    )
    session = begin(browser, live, peer, "syscalls")
    session.tell(calls(10))
    until(browser, has(".bubble[data-name=fsync] .disc[r]"), "circles")
    sizes = "return [...document.querySelectorAll('.bubble .disc')].map(disc => Number(disc.getAttribute('r')))"
    busy, quiet, _ = browser.execute_script(sizes)
    assert busy > 3 * quiet  # at once: whoever wants no motion gets none
    until(browser, lambda page: text(page, "tbody th")[:1] == ["read"], "the table")
    press(browser, By.XPATH, "//button[.='Time in all']")
    assert text(browser, "tbody th")[0] == "fsync"
    assert "10 (11 %)" in text(browser, "tbody tr")[1]
    press(browser, By.CSS_SELECTOR, ".bubble[data-name=read]")
    assert text(browser, "tr.current th") == ["read"]
    assert hostile_markup(browser) == []
    assert faint(browser) == []
    assert_at_peace(browser, live)


def crowd(at: float, many: int, switches: int) -> Greenlets:
    """One that runs, and `many` that wait; the first of them with a name nobody should have."""
    hub = PLACES[3]
    waiting = tuple(
        Greenlet(
            number=n, name=HOSTILE if n == 2 else f"Greenlet-{n}", state="waiting", waits_s=at + 1 / n, at_least=False,
            age_s=at, spawned=(STORE,), stack=(hub, PLACES[2] if n == 2 else PLACES[0]),
        )
        for n in range(2, many + 2)
    )  # fmt: skip
    busy = Greenlet(
        number=1,
        name="Publisher-1",
        state="running",
        waits_s=None,
        at_least=False,
        age_s=at,
        spawned=(),
        stack=(STORE,),
    )
    folded = {f"main (/opt/agents/historian.py:90);store ({STORE.file}:71)": 90, f"main (/opt/x.py:1);{HOSTILE}": 10}
    block = Block(at=at, seconds=0.8, greenlet="Publisher-1", stack=(STORE,))
    return Greenlets(
        at=at, count=many + 9, left_out=8, greenlets=(busy, *waiting), folded=folded, samples=100,
        switches=Switches(buckets=((0.01, switches), (0.1, 3), (None, 1)), blocks=(block,)),
    )  # fmt: skip


def test_a_crowd_of_greenlets_is_told_by_where_it_waits(browser: WebDriver, live: RunningSite, peer: LivePeer) -> None:
    session = begin(browser, live, peer, "greenlets")
    session.tell(crowd(100.0, 10_000, 500))
    until(browser, has("tr.group"), "the group")
    rows = text(browser, ".greenlets tbody tr")
    assert len(rows) == 3  # the hostile one, all others together, the one that runs
    assert "9\u202f999 × Greenlet-#" in rows[1].replace("\n", " ")
    press(browser, By.CSS_SELECTOR, ".group-toggle")
    until(browser, has("tr.inside"), "those inside")
    assert len(browser.find_elements(By.CSS_SELECTOR, ".greenlets tbody tr")) == 100
    Select(browser.find_element(By.ID, "greenlet-state")).select_by_value("running")
    press(browser, By.CSS_SELECTOR, "[data-key='greenlet-1']")
    until(browser, has(".chosen .live-frames"), "its stack")
    press(browser, By.CSS_SELECTOR, ".live-frames button")
    until(browser, has(".code .here"), "the source")
    until(browser, has(".flame-box.is-own"), "the flame graph")
    browser.find_element(By.ID, "flame-search").send_keys("store")
    until(browser, lambda page: "90 % of all samples" in text(page, ".flame-words")[0], "what was found")
    assert "1 of them after 100 ms or more" in text(browser, ".switches .hint")[0]
    assert text(browser, ".blocks summary .strong") == ["800 ms"]
    assert not browser.find_elements(By.CSS_SELECTOR, ".hung")
    session.tell(crowd(102.5, 20, 500))  # no switch since, and the same greenlet runs
    until(browser, has(".hung"), "the hung hub")
    assert "The hub does not run: Publisher-1 does not let go, in store" in text(browser, ".hung")[0]
    session.tell(crowd(103.0, 20, 900))
    until(browser, lambda page: not has(".hung")(page), "the hub running again")
    assert hostile_markup(browser) == []
    assert_at_peace(browser, live)


def test_system_calls_are_timed_where_that_is_asked_for_at_its_price(
    browser: WebDriver, live: RunningSite, peer: LivePeer
) -> None:
    peer.forget()
    enter(browser, live, "syscalls")
    until(browser, has(".plan .mark"), "the plan")
    browser.find_element(By.CSS_SELECTOR, "details.further summary").click()
    box = browser.find_element(By.NAME, "latency")
    assert "(about 7 % slower in place of about 1 % slower)" in text(browser, "label:has([name=latency])")[0]
    box.click()
    until(browser, lambda page: "about 7 % slower. The clock is looked at as well." in text(page, ".plan")[0], "price")
    browser.find_element(By.CSS_SELECTOR, "form.filters button.primary").click()
    peer.session()
    begun = next(one for one in peer.asked if one.method == "POST")
    assert begun.body["latency"] is True
    browser.get("about:blank")


def test_a_viewer_reads_that_it_is_not_for_them(browser: WebDriver, live: RunningSite, peer: LivePeer) -> None:
    peer.forget()
    enter(browser, live, "greenlets", VIEWER)
    until(browser, has(".plan .mark"), "the plan")
    assert not browser.find_element(By.CSS_SELECTOR, "form.filters button.primary").is_enabled()
    assert "need the role operator" in text(browser, "#live-why")[0]


def test_a_phone_shows_every_view_and_everything_has_a_name(
    browser: WebDriver, live: RunningSite, peer: LivePeer
) -> None:
    shown = {
        "greenlets": (crowd(time.time(), 30, 5), ".greenlets tbody tr"),
        "call-graph": (graph(10, 4), ".functions tbody tr"),
        "flow": (flow_of(0, 50), ".step"),
        "syscalls": (calls(4), "tbody tr"),
    }
    look(browser, PHONE, "dark")
    begin(browser, live, peer, "greenlets")
    for view, (document, ready) in shown.items():
        browser.get("about:blank")
        peer.session().document["view"] = view  # whoever opens the link finds what is under way
        peer.session().updates[:] = []
        peer.session().tell(document)
        browser.get(f"{live.url}/live?agent={AGENT}&view={view}")
        until(browser, has(ready), view)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360, view
        nameless = browser.execute_script(
            "return [...document.querySelectorAll('input, select, button, a, progress, svg[role], [role=tree]')]"
            ".filter(node => !(node.labels?.length || node.ariaLabel || node.textContent.trim() || node.title))"
            ".map(node => node.outerHTML)"
        )
        assert nameless == [], view
        assert faint(browser) == [], view
