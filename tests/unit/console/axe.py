"""axe-core, which judges a page as people who cannot see it, or not well, would meet it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from make_screenshots import DESKTOP, look
from servers.missing import without

from voltscope.console import vendor
from voltscope.errors import VoltscopeError

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """
const [rules, done] = arguments;
const said = ({html, any, all, none}) => `${html.slice(0, 200)}: ${[...any, ...all, ...none][0]?.message}`;
// it would fetch style sheets for two rules on phones and sounds, and find the places of what passes, for nobody
axe.run(document, {...rules, resultTypes: ['violations'], preload: false}).then(
  ({violations}) => done(violations.map(({id, nodes}) => [id, ...nodes.slice(0, 5).map(said)])),
  (error) => done([['axe failed', String(error)]]),
);
"""


def script() -> str:
    """The judge; what pages themselves bring from elsewhere is brought as well."""
    try:
        for part in ("axe-core", "uplot", "dagre"):
            vendor.fetch(part)
    except VoltscopeError as error:
        without(str(error))
    return (vendor.directory("axe-core") / "axe.min.js").read_text()


def judge(browser: WebDriver, axe: str) -> None:
    """Says that the page as it stands is without fault; of dark colours, what differs is asked alone."""
    browser.set_script_timeout(100)
    if not browser.execute_script("return 'axe' in window"):
        browser.execute_script(axe)
    found: dict[str, Any] = {}
    look(browser, DESKTOP, "light")
    found["light"] = browser.execute_async_script(_RUN, {"runOnly": RULES})
    look(browser, DESKTOP, "dark")
    found["dark"] = browser.execute_async_script(_RUN, {"runOnly": ["color-contrast"]})
    assert found == {"light": [], "dark": []}, found
