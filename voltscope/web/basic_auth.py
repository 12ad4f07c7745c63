"""Basic authentication against bcrypt hashes: slow once for each good pair, and as slow for a name nobody has."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import threading
from collections.abc import Mapping

# One good pair a client; a client that shows many is none of ours.
_MOST_KEPT = 100
_NOBODY = "$2b${cost:02d}$abcdefghijklmnopqrstuu" + "k" * 31


class BasicAuth:
    """Checks `Authorization: Basic` headers. A check of cost 10 takes 70 ms, so pairs found good are remembered,
    keyed by an HMAC under a key of this process; at most one is computed at a time, however many are asked.
    """

    def __init__(self, users: Mapping[str, str]) -> None:
        """`users`: bcrypt hashes by name."""
        self._users = dict(users)
        # a name nobody has costs as much time as the dearest that somebody has
        self._nobody = _NOBODY.format(cost=max((int(hashed[4:6]) for hashed in users.values()), default=10))
        self._key = os.urandom(32)
        self._good: dict[bytes, None] = {}
        self._computing = threading.Lock()

    def known(self, header: str | None) -> str | None:
        """The user of a header that was found good before; None says nothing. Takes microseconds."""
        name, password = _pair(header)
        return name if name is not None and self._mark(name, password) in self._good else None

    def check(self, header: str | None) -> str | None:
        """The user of a header, or None. May take a tenth of a second: not for an event loop."""
        name, password = _pair(header)
        if name is None:
            return None
        if (mark := self._mark(name, password)) in self._good:
            return name
        import bcrypt  # here: few engines have users

        hashed = self._users.get(name)
        with self._computing:
            try:
                # 72 bytes are all bcrypt ever looked at; htpasswd's and Go's hashes of longer ones are of those
                fits = bcrypt.checkpw(password[:72], (hashed or self._nobody).encode())
            except ValueError:
                fits = False
        if hashed is None or not fits:
            return None
        while len(self._good) >= _MOST_KEPT:
            self._good.pop(next(iter(self._good)), None)
        self._good[mark] = None
        return name

    def _mark(self, name: str, password: bytes) -> bytes:
        text = b"%d:%s%s" % (len(name.encode()), name.encode(), password)
        return hmac.digest(self._key, text, hashlib.sha256)


def _pair(header: str | None) -> tuple[str | None, bytes]:
    kind, _, value = (header or "").partition(" ")
    if kind.lower() != "basic":
        return None, b""
    try:
        name, colon, password = base64.b64decode(value.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else (None, b"")
    except (binascii.Error, UnicodeDecodeError):
        return None, b""
