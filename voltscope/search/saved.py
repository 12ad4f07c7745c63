"""Searches kept under a name: those that come with voltscope, and those of one site's operators."""

from __future__ import annotations

import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from voltscope.errors import SavedSearchError
from voltscope.logs.record import LEVELS
from voltscope.site import Site

MOST = 100
LONGEST_NAME, LONGEST_QUERY = 60, 2000
_LARGEST_FILE = 1 << 20
_VERSION = 1
_SPAN = re.compile(r"\d{1,6}[smhd]", re.ASCII)


@dataclass(frozen=True)
class SavedSearch:
    """One search. `agent`, `level`, `since` as the Logs page has them, empty when they narrow nothing; `since` is a
    span such as `1h`. `by`: who saved it, empty for our own; `saved_at`: seconds since the epoch.
    """

    name: str
    query: str
    agent: str = ""
    level: str = ""
    since: str = ""
    by: str = ""
    saved_at: float = 0.0


BUILT_IN = (
    SavedSearch("Errors", "level>=error", since="1d"),
    SavedSearch(
        "Driver failures",
        '(agent:driver or logger:driver) and (level>=warning or scrape or "timed out" or timeout or unreachable)'
        " and not level:debug",
        since="1d",
    ),
    SavedSearch(
        "Historian trouble",
        '(agent:historian or logger:historian) and (level>=warning or backlog or locked or "disk full" or full)',
        since="1d",
    ),
    SavedSearch(
        "Restarts",
        'agent=platform and ("has PID" or starting or stopping or stopped or shutdown or crashed or exited)',
        since="7d",
    ),
)


class SavedSearches:
    """The searches of one site. The file is read whenever it is asked for and replaced whole, mode 0600."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()

    @classmethod
    def of(cls, site: Site) -> SavedSearches:
        """Where the site's console keeps them."""
        return cls(Path(site.volttron_home) / "voltscope" / "console" / "searches.json")

    def all(self) -> list[SavedSearch]:
        """The built-in ones, then those saved, by name. Raises SavedSearchError when the file cannot be read."""
        return [*BUILT_IN, *sorted(self._read(), key=lambda saved: saved.name.casefold())]

    def named(self, name: str) -> SavedSearch:
        """The search of that name, in any case. Raises SavedSearchError naming those there are."""
        found = [saved for saved in self.all() if saved.name.casefold() == name.strip().casefold()]
        if not found:
            names = ", ".join(saved.name for saved in self.all())
            raise SavedSearchError(f"no search is saved as {name[:LONGEST_NAME]!r}.", f"There are: {names}.", 404)
        return found[0]

    def save(self, asked: Mapping[str, Any], by: str) -> SavedSearch:
        """Keep a search, in place of one of its name. Raises SavedSearchError."""
        made = _checked(asked, by)
        with self._lock:
            others = [saved for saved in self._read() if saved.name.casefold() != made.name.casefold()]
            if len(others) >= MOST:
                raise SavedSearchError(f"{MOST} searches are saved.", "Delete one that nobody needs.")
            self._write([*others, made])
        return made

    def delete(self, name: str) -> None:
        """Forget a search. Raises SavedSearchError when there is none of that name, or it is our own."""
        found = self.named(name)
        if found in BUILT_IN:
            raise SavedSearchError(f"{found.name!r} comes with voltscope and stays.")
        with self._lock:
            self._write([saved for saved in self._read() if saved.name != found.name])

    def _read(self) -> list[SavedSearch]:
        try:
            with self.file.open("rb") as file:
                document = json.loads(file.read(_LARGEST_FILE))
            if document["version"] != _VERSION:
                raise ValueError(f"version {document['version']!r}")
            return [SavedSearch(**saved) for saved in document["searches"]][:MOST]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise SavedSearchError(
                f"the saved searches in {self.file} cannot be read: {error}.",
                "Mend the file or move it away; the built-in searches are back then.",
                500,
            ) from error

    def _write(self, searches: list[SavedSearch]) -> None:
        content = json.dumps({"version": _VERSION, "searches": [asdict(saved) for saved in searches]}, indent=1)
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self.file.parent, prefix=".searches-")  # mode 0600
            try:
                with os.fdopen(descriptor, "w") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self.file)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise SavedSearchError(
                f"the search cannot be saved in {self.file}: {error.strerror}.",
                "Let the console's user write there.",
                500,
            ) from error


def _checked(asked: Mapping[str, Any], by: str) -> SavedSearch:
    fields = {name: asked.get(name) or "" for name in ("name", "query", "agent", "level", "since")}
    if not all(isinstance(value, str) for value in fields.values()):
        raise SavedSearchError("name, query, agent, level and since of a search are texts.")
    name = fields["name"] = fields["name"].strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise SavedSearchError(f"a search needs a name of 1 to {LONGEST_NAME} printable characters.")
    if any(len(fields[field]) > LONGEST_QUERY for field in ("query", "agent", "level", "since")):
        raise SavedSearchError(f"a query has at most {LONGEST_QUERY} characters.")
    if fields["level"] and fields["level"] not in LEVELS:
        raise SavedSearchError(f"level is none of {', '.join(LEVELS)}.")
    if fields["since"] and not _SPAN.fullmatch(fields["since"]):
        raise SavedSearchError("since of a search is a span such as 15m, 6h or 7d.")
    if any(name.casefold() == ours.name.casefold() for ours in BUILT_IN):
        raise SavedSearchError(f"{name!r} comes with voltscope.", "Choose another name.")
    return SavedSearch(**fields, by=by, saved_at=round(time.time(), 3))
