"""HTTP to one server at several URLs: a connection kept open, deadlines, credentials from files, no redirects."""

from __future__ import annotations

import base64
import http.client
import select
import socket
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from voltscope.errors import ConfigError, ReceiverError
from voltscope.outbound.keys import ServerKeys
from voltscope.outbound.tls import tls_context

ResultT = TypeVar("ResultT")

TIMEOUT_S = 30.0
_LARGEST_ANSWER = 64 << 20


@dataclass(frozen=True)
class Answer:
    """`body`: undecoded."""

    status: int
    body: bytes

    def __str__(self) -> str:
        return f"HTTP {self.status} ({self.body[:300].decode('utf-8', 'replace') or 'no body'})"


class AnswerTooLarge(http.client.HTTPException):
    """It would not fit into memory."""


class HttpClient:
    """Stays with the URL that answered last; the others are tried when it does not. Used by one thread."""

    def __init__(self, receiver: ServerKeys, timeout_s: float = TIMEOUT_S, what: str = "log records") -> None:
        """`timeout_s`: how long a peer may make no progress. `what`: it is sent, for the words of errors.

        Raises ConfigError for files that cannot be loaded.
        """
        self.connections = 0  # made so far
        self._urls = [urllib.parse.urlsplit(url) for url in receiver.urls]
        self._receiver, self._timeout_s, self._what = receiver, timeout_s, what
        self._context = tls_context(receiver) if any(url.scheme == "https" for url in self._urls) else None
        self._connection: http.client.HTTPConnection | None = None
        self._headers = authorization(receiver)  # now: a file that is not there is a fault of the configuration

    def connect(self) -> None:
        """Connect unless connected. Raises ReceiverError as `request` does."""
        self._somewhere(self._opened)

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """`path`, which begins with a slash, is behind the URL's own; an empty one asks for that as it stands.

        Raises ReceiverError naming what became of each URL when none answers; its cause is what became of the last.
        """
        return self._somewhere(lambda url: self._asked(url, method, path, body, headers or {}))

    def _somewhere(self, act: Callable[[urllib.parse.SplitResult], ResultT]) -> ResultT:
        failures = []
        last: Exception | None = None
        for _ in self._urls:
            url = self._urls[0]
            try:
                return act(url)
            except (OSError, http.client.HTTPException, UnicodeError, ConfigError) as error:
                self.close()
                last = error
                failures.append(f"{url.scheme}://{url.netloc}: {_reason(error, self._timeout_s)}")
                self._urls.append(self._urls.pop(0))
        raise ReceiverError(
            f"the server does not take {self._what}: {'; '.join(failures)}.",
            "Is it running and reachable? Nothing is lost meanwhile.",
        ) from last

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _asked(
        self, url: urllib.parse.SplitResult, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        connection = self._opened(url)
        target = url.path.rstrip("/") + path if path else url.path
        try:
            connection.request(method, target, body, {**self._headers, **headers})
        except (BrokenPipeError, ConnectionResetError):
            # who finds a request too long says so, and hangs up before it has come to an end
            if connection.sock is None:
                raise
        answer = connection.getresponse()
        content = answer.read(_LARGEST_ANSWER + 1)
        if len(content) > _LARGEST_ANSWER:
            raise AnswerTooLarge(f"it answers with more than {_LARGEST_ANSWER >> 20} MiB")
        return Answer(answer.status, content)

    def _opened(self, url: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        connection = self._connection
        if connection is not None:
            # Servers hang up on idle connections: what is readable before we ask is the end of this one.
            if connection.sock is not None and not _readable(connection.sock):
                return connection
            self.close()
        self._headers = authorization(self._receiver)  # anew: keys are rotated
        host = url.hostname or ""
        secure = self._context if url.scheme == "https" else None
        made = socket.create_connection((host, url.port or (443 if secure else 80)), self._timeout_s)
        try:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if secure is not None:
                made = secure.wrap_socket(made, server_hostname=self._receiver.server_name or host)
        except (OSError, ValueError):
            made.close()
            raise
        connection = self._connection = http.client.HTTPConnection(host, url.port)
        connection.sock, connection.auto_open = made, 0
        self.connections += 1
        return connection


def refusal(server: str, answer: Answer, remedy: str, rights: str | None = None) -> ReceiverError:
    """What to say of `server`, which answers and does not take what it is sent.

    `rights`: said before `remedy` where the answer is that we may not.
    """
    if rights and answer.status in (401, 403):
        remedy = f"{rights} {remedy}"
    permanent = answer.status < 500 and answer.status not in (408, 429)
    return ReceiverError(f"{server} refuses: {answer}.", remedy, permanent)


def _readable(connection: socket.socket) -> bool:
    asked = select.poll()  # select takes no descriptor above 1,023
    asked.register(connection, select.POLLIN)
    return bool(asked.poll(0))


def authorization(receiver: ServerKeys) -> dict[str, str]:
    """The header that says who we are; empty when nobody asks. Raises ConfigError naming the file it cannot use."""
    if receiver.api_key_file is not None:
        return {"Authorization": f"ApiKey {secret_of('api_key_file', receiver.api_key_file)}"}
    if receiver.token_file is not None:
        return {"Authorization": f"Bearer {secret_of('token_file', receiver.token_file)}"}
    if receiver.password_file is not None:
        pair = f"{receiver.username}:{secret_of('password_file', receiver.password_file)}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    return {}


def secret_of(key: str, name: str) -> str:
    """The secret in the file `name`, which the configuration's `key` names. Raises ConfigError."""
    path = Path(name).expanduser()
    try:
        others = path.stat().st_mode & 0o077
        secret = path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(key, f"{path} ({error})", "a readable file with the secret alone") from error
    if others:
        raise ConfigError(key, f"{path}, which others may read", "a file of mode 0600")
    if not secret.isprintable() or not secret:
        raise ConfigError(key, f"{path} with no line or several", "a file with the secret alone")
    return secret


def _reason(error: Exception, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer for {timeout_s:g} s"
    if isinstance(error, http.client.RemoteDisconnected):
        return "it closed the connection without an answer"
    if isinstance(error, http.client.BadStatusLine):
        return f"it answers no HTTP ({str(error)[:60]})"
    return str(error) or type(error).__name__
