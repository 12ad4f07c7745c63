"""Takes secrets out of what leaves the machine: by the shape of the text, by the name of a key, and by value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from voltscope.doctor.world import World
from voltscope.logs.redact import MASK, Redactor

MIN_SECRET = 8  # shorter values are words: taking them out everywhere would spoil the text and tell the secret

_NAMED = re.compile(r"secret|passw|token|api[-_]?key|private|credential", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"^(\s*[\w.\-]+\s*[=:]\s*)(\S.*)$", re.MULTILINE)
_USER_INFO = re.compile(r"(?<=://)[^/\s@]+@")
_AUTHORIZATION = re.compile(r"\b((?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=\-]{8,}", re.IGNORECASE)


class Scrubber:
    """Knows the secrets of one site, as far as we may read them, and takes them out of any text."""

    def __init__(self, world: World) -> None:
        known = {secret for secret in _known(world) if len(secret) >= MIN_SECRET}
        # the longest first: a secret may hold another
        self._known = re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True)))) if known else None

    def text(self, text: str) -> str:
        """Any text: known values, secret keys in logs, user names and passwords in URLs, Authorization headers."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        text = _USER_INFO.sub(f"{MASK}@", text)
        text = _AUTHORIZATION.sub(rf"\1{MASK}", text)
        return Redactor().redact(text)

    def structure(self, found: Any) -> Any:
        """JSON-like data: values whose key is named like a secret, at any depth; paths stay, they help."""
        if isinstance(found, dict):
            return {
                key: MASK if _NAMED.search(str(key)) and not _is_path(value) else self.structure(value)
                for key, value in found.items()
            }
        if isinstance(found, list):
            return [self.structure(entry) for entry in found]
        return found

    def assignments(self, text: str) -> str:
        """An INI file: the values of keys named like a secret."""
        return _ASSIGNMENT.sub(lambda found: found[1] + MASK if _NAMED.search(found[1]) else found[0], text)


def _is_path(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.startswith("/"))


def _known(world: World) -> Iterator[str]:
    """Secrets by value: our credential file's, and the keys the platform keeps for its agents."""
    files = [Path(world.site.credentials)] if world.site.credentials else []
    for store in ("credentials_store", "keystores"):
        try:
            files += [file for file in (world.home / store).rglob("*") if file.is_file()]
        except OSError:
            continue
    for file in files:
        try:
            document = json.loads(file.read_bytes())
        except (OSError, ValueError):
            continue
        yield from _secrets_in(document)


def _secrets_in(document: object, named: bool = False) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            # not "private", "credential": agents' names are stored under such keys
            yield from _secrets_in(value, named or bool(re.search("secret|passw|token", str(key), re.IGNORECASE)))
    elif isinstance(document, list):
        for value in document:
            yield from _secrets_in(value, named)
    elif isinstance(document, str) and named:
        yield document
