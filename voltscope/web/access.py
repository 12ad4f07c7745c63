"""Who may do what: users with roles, read from a credential file that is re-read when it changes."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path

from voltscope.errors import CredentialsError

VIEWER = "viewer"
ACKNOWLEDGER = "acknowledger"
OPERATOR = "operator"
WEBHOOK = "webhook"
# What users of each role may do, named by the least role that may.
_MAY = {
    VIEWER: {VIEWER},
    ACKNOWLEDGER: {VIEWER, ACKNOWLEDGER},
    OPERATOR: {VIEWER, ACKNOWLEDGER, OPERATOR, WEBHOOK},
    WEBHOOK: {WEBHOOK},
}
ROLES = tuple(_MAY)


@dataclass(frozen=True)
class User:
    """Somebody known, with a role: `viewer` reads, `acknowledger` also takes alerts in hand, `operator` does all;
    `webhook` tells what Alertmanager tells, and does not even read.
    """

    name: str
    role: str

    def may(self, role: str) -> bool:
        """Whether this user may do what users of `role` may."""
        return role in _MAY[self.role]


class Access:
    """Checks secrets against a credential file, a JSON document
    `{"version": 1, "users": [{"name", "role", "secret"}]}` of mode 0600.
    """

    def __init__(self, path: Path | None) -> None:
        """`path` None: nobody is known, so nobody may write. Raises CredentialsError when the file is no good."""
        self._path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int, int] | None = None
        self._users: list[tuple[User, str]] = []
        if path is not None:
            self._refresh()

    def by_login(self, name: str, secret: str) -> User | None:
        """The user of that name and secret. Raises CredentialsError when the file became unusable."""
        return self._find(secret, name)

    def by_authorization(self, header: str | None) -> User | None:
        """The user an Authorization header stands for: `Bearer SECRET` or `Basic base64(NAME:SECRET)`."""
        kind, _, value = (header or "").partition(" ")
        if kind.lower() == "bearer":
            return self._find(value.strip(), None)
        if kind.lower() == "basic":
            try:
                name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
            return self._find(secret, name)
        return None

    def secret_of(self, role: str) -> str | None:
        """The secret of the first user with exactly `role`, for our own clients on this machine."""
        self._refresh()
        return next((secret for user, secret in self._users if user.role == role), None)

    def secret_of_user(self, name: str) -> str | None:
        """The secret of the first user of that name, for our own clients that ask on their behalf."""
        self._refresh()
        return next((secret for user, secret in self._users if user.name == name), None)

    def _find(self, secret: str, name: str | None) -> User | None:
        self._refresh()
        found = None
        for user, known in self._users:  # all are compared, so that time tells nothing
            if hmac.compare_digest(known.encode(), secret.encode()) and name in (None, user.name):
                found = user
        return found

    def _refresh(self) -> None:
        if self._path is None:
            return
        with self._lock:
            try:
                with self._path.open("rb") as file:
                    info = os.fstat(file.fileno())
                    stamp = (info.st_mtime_ns, info.st_size, info.st_ino, info.st_mode)
                    if stamp == self._stamp:
                        return
                    if stat.S_IMODE(info.st_mode) & 0o077:
                        raise CredentialsError(
                            f"the credential file {self._path} can be read by others.",
                            f"Run: chmod 600 {self._path}",
                        )
                    users = _users(json.loads(file.read(1 << 20)), self._path)
            except (OSError, ValueError) as error:
                raise CredentialsError(f"cannot read the credential file {self._path}: {error}.") from error
            self._users, self._stamp = users, stamp


def _users(document: object, path: Path) -> list[tuple[User, str]]:
    entries = document.get("users") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise CredentialsError(f"the credential file {path} has no list of users.")
    found = []
    for entry in entries:
        name, role, secret = (entry.get(key) if isinstance(entry, dict) else None for key in ("name", "role", "secret"))
        if not (isinstance(name, str) and role in ROLES and isinstance(secret, str) and len(secret) >= 16):
            raise CredentialsError(
                f"the credential file {path} has a user without a name, a role of {', '.join(ROLES)}, "
                "or a secret of at least 16 characters."
            )
        found.append((User(name, role), secret))
    return found
