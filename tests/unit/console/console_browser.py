"""Coming to a page, pressing what it shows and reading it, whatever else goes on in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console_site import OPERATOR
from make_screenshots import has, until
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By

if TYPE_CHECKING:
    from console_site import RunningSite
    from selenium.webdriver.remote.webdriver import WebDriver

_CLICK = "arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true, view: window}))"


def press(page: WebDriver, by: str, what: str) -> None:
    """Click it as soon as it is there and can be pressed.

    By the page itself, not by a pointer at a place: when an answer comes, what stood there has moved on.
    """

    def pressed(driver: WebDriver) -> bool:
        try:
            element = driver.find_element(by, what)
            if not (element.is_displayed() and element.is_enabled()):
                return False
            driver.execute_script(_CLICK, element)
        except (NoSuchElementException, StaleElementReferenceException):
            return False
        return True

    until(page, pressed, what)


def typed(page: WebDriver, what: str, words: str) -> None:
    """Type `words` into what a selector matches, however often a page that still begins draws it anew."""

    def done(driver: WebDriver) -> bool:
        try:
            field = driver.find_element(By.CSS_SELECTOR, what)
            field.clear()
            field.send_keys(words)
            return field.get_attribute("value") == words
        except (NoSuchElementException, StaleElementReferenceException):
            return False

    until(page, done, what)


def visit(page: WebDriver, site: RunningSite, path: str, ready: str, who: tuple[str, str] = OPERATOR) -> None:
    """A page with a session of `who`, once something matches `ready`; quicker than by the login form."""
    with site.client(who) as client:
        for name, value in client.cookies.items():
            page.execute_cdp_cmd("Network.setCookie", {"name": name, "value": value, "url": site.url})
    page.get(site.url + path)
    until(page, has(ready), f"{ready} on {path}")


def shown(page: WebDriver, selector: str) -> list[str]:
    """The text of everything a selector matches."""
    script = "return [...document.querySelectorAll(arguments[0])].map(node => node.innerText)"
    found: list[str] = page.execute_script(script, selector)
    return found


def focused(page: WebDriver) -> str:
    """What has the focus: its id, else its text."""
    found: str = page.execute_script("return document.activeElement.id || document.activeElement.innerText")
    return found
