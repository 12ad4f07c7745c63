"""Scrapes that failed, by device: drivers of both generations tell it nowhere but in the log."""

from __future__ import annotations

import re
from collections import Counter

from voltscope.logs.record import Record

MAX_DEVICES = 2000
# (pattern, whether the name it finds is that of a point)
_LINES = (
    (re.compile(r"Failed to scrape point: (\S+)"), True),  # monolithic
    (re.compile(r"Failed to scrape (\S+?):?(?:\s|$)"), False),  # monolithic, a traceback follows
    (re.compile(r"Failed to poll (\S+?):? "), True),  # modular
    (re.compile(r"Exception while polling (.+?): "), False),  # modular, by the remote's own name
)
DRIVER = "driver"  # in the name of the logger
BEGINNINGS = ("Failed to ", "Exception while polling ")


def failed_device(record: Record) -> str | None:
    """The device a driver failed to read, as the exporter names it; None for every other record."""
    if DRIVER not in record.logger or not record.text.startswith(BEGINNINGS):
        return None
    for pattern, is_point in _LINES:
        found = pattern.match(record.text)
        if found is not None:
            name = found[1].strip("/").removeprefix("devices/")
            return name.rpartition("/")[0] if is_point else name
    return None


def count(errors: Counter[str], record: Record) -> None:
    """Count a record where it tells of a failed scrape; devices beyond MAX_DEVICES are passed over."""
    device = failed_device(record)
    if device and (device in errors or len(errors) < MAX_DEVICES):
        errors[device] += 1
