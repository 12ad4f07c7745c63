"""Pressing what a page shows, whatever else goes on in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from make_screenshots import until
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException

if TYPE_CHECKING:
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
