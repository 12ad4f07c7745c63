"""Who is logged in: sessions with two clocks and a bound on their number, and a limit on failed logins."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from voltscope.errors import CredentialsError
from voltscope.web import Access, User

LIFETIME_S = 12 * 3600.0
IDLE_S = 2 * 3600.0
MAX_SESSIONS = 256

FAILURES_PER_ADDRESS = 5
FAILURES_IN_ALL = 100  # addresses can be forged behind a proxy; secrets are random, so this slows nobody honest
FAILURE_WINDOW_S = 60.0
MAX_ADDRESSES = 1024


@dataclass
class _Session:
    name: str
    secret: str
    began: float
    used: float


class Sessions:
    """Sessions by token. A token is 256 random bits; only its hash is kept, so a memory dump opens nothing."""

    def __init__(self, access: Access, clock: Callable[[], float] = time.monotonic) -> None:
        self._access, self._clock = access, clock
        self._lock = threading.Lock()
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()

    def begin(self, name: str, secret: str) -> str | None:
        """The token of a new session, or None when name and secret are nobody's.

        Raises CredentialsError when the credential file became unusable.
        """
        if self._access.by_login(name, secret) is None:
            return None
        token = secrets.token_urlsafe(32)
        now = self._clock()
        with self._lock:
            self._sessions[_hash(token)] = _Session(name, secret, now, now)
            while len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)  # the one unused for longest
        return token

    def user(self, token: str | None) -> User | None:
        """The user of a session that still holds. A user taken out of the credential file is out at once."""
        if not token:
            return None
        key, now = _hash(token), self._clock()
        with self._lock:
            session = self._sessions.get(key)
            if session is None:
                return None
            if now - session.began >= LIFETIME_S or now - session.used >= IDLE_S:
                del self._sessions[key]
                return None
            session.used = now
            self._sessions.move_to_end(key)
        try:
            return self._access.by_login(session.name, session.secret)
        except CredentialsError:
            return None  # the login page then says what is wrong with the file

    def end(self, token: str | None) -> None:
        """Forget a session; one that is not known is as good as forgotten."""
        with self._lock:
            self._sessions.pop(_hash(token or ""), None)


class LoginLimit:
    """Slows guessing: after too many failures within a minute an address has to wait."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque(maxlen=FAILURES_IN_ALL)

    def wait_s(self, address: str) -> float:
        """Seconds until `address` may try again, 0 when it may now."""
        now = self._clock()
        mine = self._failures.get(address)
        waits = [
            times[0] + FAILURE_WINDOW_S - now
            for times, most in ((mine, FAILURES_PER_ADDRESS), (self._all, FAILURES_IN_ALL))
            if times is not None and len(times) == most
        ]
        return max(0.0, *waits, 0.0)

    def failed(self, address: str) -> None:
        """Count a failed login of `address`."""
        now = self._clock()
        self._failures.setdefault(address, deque(maxlen=FAILURES_PER_ADDRESS)).append(now)
        self._failures.move_to_end(address)
        self._all.append(now)
        while len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
