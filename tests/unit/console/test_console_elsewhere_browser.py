"""From the console to Grafana and Kibana and back, in a real browser: the same platform, agent and time everywhere."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from console_site import INSTANCE, OPERATOR, console_of
from make_screenshots import DESKTOP, has, log_in, look, until
from selenium.webdriver.common.by import By

if TYPE_CHECKING:
    from console_site import RunningSite
    from selenium.webdriver.remote.webdriver import WebDriver

sys.path.append(str(Path(__file__).resolve().parents[3] / "logstash"))

from kibana.links import LINKS, Addresses
from kibana.objects import objects

GRAFANA, KIBANA = "https://grafana.example/here/", "https://kibana.example/s/ops"
AGENT = "platform.historian"
ROOT = Path(__file__).resolve().parents[3]
BOARDS = {path.stem: json.loads(path.read_text()) for path in (ROOT / "grafana/json").glob("*.json")}


@pytest.fixture(scope="module")
def linked(site: RunningSite) -> Iterator[str]:
    """The address of a console of the same site, whose site file names a Grafana and a Kibana."""
    with console_of(site.site, grafana=GRAFANA, kibana=KIBANA) as running:
        yield running.url


@pytest.fixture(scope="module")
def page(chromium: WebDriver, linked: str) -> WebDriver:
    """A browser logged in there, once for all: these tests look, and change nothing."""
    look(chromium, DESKTOP, "light")
    log_in(chromium, linked, *OPERATOR)
    until(chromium, has(".elsewhere a"), "links elsewhere")
    return chromium


def links(page: WebDriver) -> dict[str, str]:
    """Where the links lead for somebody who comes near them."""
    script = """const found = [...document.querySelectorAll('.elsewhere a')];
        found.forEach(link => link.dispatchEvent(new FocusEvent('focusin', {bubbles: true})));
        return found.map(link => [link.firstChild.textContent, link.href])"""
    return dict(page.execute_script(script))


def of_grafana(url: str) -> tuple[str, dict[str, str], tuple[str, str] | None]:
    """Dashboard, variables and time of an address, all of which the dashboard must know."""
    parts = urlsplit(url)
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert url.startswith(GRAFANA + "d/")
    uid = parts.path.rpartition("/")[2]
    board = BOARDS[uid.removeprefix("voltscope-")]
    assert board["uid"] == uid
    chosen = {name.removeprefix("var-"): value for name, value in asked.items() if name.startswith("var-")}
    assert chosen.keys() <= {one["name"] for one in board["templating"]["list"]}
    return uid.removeprefix("voltscope-"), chosen, (asked["from"], asked["to"]) if "from" in asked else None


def of_kibana(url: str) -> tuple[str, dict[str, str], tuple[str, str] | None]:
    """Object, query and time of an address; the object must be one that is imported into that space."""
    assert url.startswith(KIBANA + "/app/")
    hashed = urlsplit(url).fragment
    asked = {name: values[0] for name, values in parse_qs(hashed.partition("?")[2]).items()}
    index = re.search(r"index:'([^']+)'", asked["_a"])
    name = index[1] if index else hashed.partition("?")[0].removeprefix("/view/")
    assert name in {one["id"] for one in objects("kibana", space="ops")}
    query = re.search(r"query:\(language:lucene,query:'((?:[^'!]|!.)*)'\)", asked["_a"])
    assert query
    said = re.sub(r"!(.)", r"\1", query[1])
    wanted = dict(re.findall(r'([\w.]+):"((?:[^"\\]|\\.)*)"', said))
    span = re.fullmatch(r"\(time:\(from:'?([^',]+)'?,to:'?([^',)]+)'?\)\)", asked.get("_g", ""))
    return name.removesuffix("-ops").removeprefix("voltscope-"), wanted, (span[1], span[2]) if span else None


def iso(seconds: float) -> str:
    return datetime.utcfromtimestamp(seconds).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def both(since: int, until: int) -> tuple[tuple[str, str], tuple[str, str]]:
    """A span as Grafana and Kibana say it."""
    return (f"{since}000", f"{until}000"), (iso(since), iso(until))


FIXED = "since=1795240000&until=1795243600"
THEN = both(1795240000, 1795243600)
TAKEN = both(1795286707 - 1800, 1795286707 + 600)
HOUR = ("now-1h", "now"), ("now-1h", "now")
NO_TIME = None, None


# Path; agent, dashboard of Grafana, object of Kibana, and times there.
PAGES = [
    ("/", None, "platform", "platform", NO_TIME),
    (f"/logs?agent={AGENT}&{FIXED}", AGENT, "agent", "logs", THEN),
    ("/logs?since=1h", None, "platform", "logs", HOUR),
    ("/logs?since=3650d", None, "platform", "logs", NO_TIME),
    (f"/agent?agent={AGENT}&{FIXED}", AGENT, "agent", "logs", THEN),
    (f"/flamegraphs?view=range&agent={AGENT}&{FIXED}", AGENT, "profiles", "profiles", THEN),
    (f"/flamegraphs?view=range&agent=platform.*&{FIXED}", None, "platform", "profiles", THEN),
    # its identifier holds when it was taken: 1795286707 s
    (f"/flamegraphs?agent={AGENT}&id=01M7ZPTBP55Z1TZDJ2DBPSG9M0", AGENT, "profiles", "profiles", TAKEN),
    (f"/live?agent={AGENT}", AGENT, "agent", "logs", NO_TIME),
    ("/fleet", None, "fleet", "fleet", NO_TIME),
]


def test_every_page_leads_to_the_same_in_grafana_and_kibana(page: WebDriver, linked: str) -> None:
    script = """const [paths, done] = arguments;
        Promise.all([import('/static/js/elsewhere.js'), fetch('/api/session').then(answer => answer.json())])
            .then(([{elsewhere}, session]) => done(paths.map(path => elsewhere(session, new URL(path, location)))))"""
    for case, pairs in zip(PAGES, page.execute_async_script(script, [path for path, *_ in PAGES]), strict=True):
        path, agent, board, shown, times = case
        found = dict(pairs)
        chosen = {"site": "test", "instance": INSTANCE} if board != "fleet" else {}
        wanted = {f"labels.{name}": value for name, value in chosen.items()}
        if agent:
            chosen["agent"] = wanted["service.name"] = agent
        assert of_grafana(found["Grafana"]) == (board, chosen, times[0]), path
        assert of_kibana(found["Kibana"]) == (shown, wanted, times[1]), path


def test_the_links_stand_on_the_page(page: WebDriver, linked: str) -> None:
    page.get(f"{linked}/agent?agent={AGENT}&{FIXED}")
    until(page, has(".elsewhere a"), "links elsewhere")
    found = links(page)
    assert of_grafana(found["Grafana"]) == ("agent", {"site": "test", "instance": INSTANCE, "agent": AGENT}, THEN[0])
    assert of_kibana(found["Kibana"])[2] == THEN[1]


def test_links_follow_what_is_chosen_on_the_page(page: WebDriver, linked: str) -> None:
    page.get(f"{linked}/logs?since=1h")
    until(page, has(f"#agent option[value='{AGENT}']"), "agents")
    assert "agent" not in of_grafana(links(page)["Grafana"])[1]
    page.execute_script(
        f"const agent = document.getElementById('agent'); agent.value = '{AGENT}';"
        "agent.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    until(page, lambda driver: of_grafana(links(driver)["Grafana"])[1].get("agent") == AGENT, "the agent chosen")
    assert of_kibana(links(page)["Kibana"])[1]["service.name"] == AGENT


def test_a_record_leads_to_its_agents_figures_and_to_itself(page: WebDriver, linked: str) -> None:
    page.get(f"{linked}/logs?since=7d&agent={AGENT}")
    until(page, has(".found ~ .records > .record"), "records")
    page.execute_script("document.querySelector('.record summary').click()")
    until(page, has(".way-on a[target]"), "ways on")
    leads = {one.text: one.get_attribute("href") for one in page.find_elements(By.CSS_SELECTOR, ".way-on a[target]")}
    at = page.execute_script("return Date.parse(document.querySelector('.record time').dateTime)") // 1000
    board, chosen, times = of_grafana(leads["Metrics"])
    assert (board, chosen["agent"]) == ("agent", AGENT)
    assert times and int(times[0]) / 1000 < at < int(times[1]) / 1000
    shown, wanted, times = of_kibana(leads["In Kibana"])
    assert shown == "logs" and times and times[0] < iso(at) < times[1]
    assert wanted["event.id"] in page.find_element(By.CSS_SELECTOR, ".more dl").text


def test_names_with_signs_of_addresses_and_queries_lead_to_themselves(page: WebDriver) -> None:
    named = {"site": "a&b=c#d", "instance": 'it\'s "here"! \\ 100%', "agent": "x'y!z"}
    script = """const [at, session, done] = arguments;
        import('/static/js/elsewhere.js').then(({grafana, kibana}) =>
            done([grafana(session, 'agent', at), kibana(session, 'logs', at)]))"""
    session = {"links": {"grafana": GRAFANA, "kibana": KIBANA}, "site": "s", "instance": None}
    there, here = page.execute_async_script(script, named, session)
    assert of_grafana(there)[1] == named
    said = {name: re.sub(r"\\(.)", r"\1", value) for name, value in of_kibana(here)[1].items()}
    assert said == {"labels.site": named["site"], "labels.instance": named["instance"], "service.name": named["agent"]}


def arrivals() -> list[str]:
    """Paths of every link that leads to the console, from Grafana and from Kibana, with what each puts in."""
    since, until_ = int(time.time()) - 3600, int(time.time()) - 60
    given = {
        "console": "", "agent:percentencode": AGENT, "agent:lucene": f'("{AGENT}")', "level:lucene": "*",
        "before": "1h", "site:percentencode": "test", "instance:percentencode": INSTANCE,
        "__from:date:seconds": str(since), "__to:date:seconds": str(until_),
    }  # fmt: skip
    urls = {url for board in BOARDS.values() for url in re.findall(r'"(\$\{console\}/[^"]*)"', json.dumps(board))}
    found = {re.sub(r"\$\{([^}]+)\}", lambda one: given[one[1]], url) for url in urls}
    around = f"site=test&instance={INSTANCE}&agent={AGENT}&since={since}&until={until_}"
    for link in (link for view in LINKS.values() for link in view):
        path = link.template(Addresses(console="", grafana=None))
        if path and link.of == "service.name":
            found.add(path.replace("{{rawValue}}", around).replace("{{value}}", AGENT))
    return sorted(found)


def test_what_leads_here_shows_the_agent_and_the_time(page: WebDriver, linked: str) -> None:
    seen = set()
    for path in arrivals():
        page.get(linked + path)
        parts = urlsplit(path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        named = asked.get("agent") or (AGENT if AGENT in unquote(path) else None)
        if asked.get("view") == "compare":
            until(page, lambda driver, asked=asked: compares(driver, asked), path)  # type: ignore[misc]
        else:
            until(page, lambda driver, named=named, asked=asked: shows(driver, named, asked), path)  # type: ignore[misc]
            assert not page.find_elements(By.CSS_SELECTOR, "main .notice.bad"), path
        seen.add(parts.path)
    assert seen == {"/", "/agent", "/logs", "/flamegraphs", "/live"}


def test_a_page_says_that_it_has_nothing_of_another_platform(page: WebDriver, linked: str) -> None:
    said = "main > .notice.warning"
    for path in ("/", "/logs", "/flamegraphs", "/live"):
        page.get(f"{linked}{path}?site=south&instance=plant2&agent={AGENT}")
        until(page, has(said), path)
        words = page.find_element(By.CSS_SELECTOR, said).text
        assert "asks for south / plant2" in words and f"of test / {INSTANCE} alone" in words
    for path in (f"/logs?site=test&instance={INSTANCE}", "/agent?site=south&instance=plant2", "/logs"):
        page.get(linked + path)
        until(page, has("main h1"), path)
        assert not has(said)(page), path


def shows(page: WebDriver, agent: str | None, asked: dict[str, str]) -> bool:
    """Whether the fields of a page have the agent, and the minutes, that its address asks for."""
    script = """return [...document.querySelectorAll('main input, main select')].map(one => [one.id, one.value])"""
    values = dict(page.execute_script(script))
    here = values.get("agent") or values.get("range-agent") or values.get("q", "")
    if agent and agent not in here:
        return False
    for name, field in (("since", "from"), ("until", "to")):
        if asked.get(name, "").isdigit():
            shown = values.get(field) or values.get(name) or ""
            if not shown or abs(datetime.fromisoformat(shown).timestamp() - int(asked[name])) >= 60:
                return False
    return True


def compares(page: WebDriver, asked: dict[str, str]) -> bool:
    """Whether what is drawn are the agent's profiles of that time, and of an hour before."""
    loaded = page.execute_script("return performance.getEntriesByType('resource').map(one => one.name)")
    since, until_ = int(asked["since"]), int(asked["until"])
    wanted = {"agent": asked["agent"], "kind": "cpu"}
    wanted |= {"before": f"{since - 3600},{until_ - 3600}", "after": f"{since},{until_}"}
    return any(
        {name: values[0] for name, values in parse_qs(urlsplit(one).query).items()} == wanted
        for one in loaded
        if "/difference.json" in one
    )


def test_a_site_without_them_has_no_links_there(browser: WebDriver, site: RunningSite) -> None:
    log_in(browser, site.url, *OPERATOR)
    until(browser, has("td .mark"), "the overview")
    assert not browser.find_elements(By.CSS_SELECTOR, ".elsewhere")
