"""Live sessions of the profiler, as a client begins, reads and ends them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar
from urllib.parse import quote

import click
import msgspec

from voltscope.cli.peers import MAX_ANSWER, ask, public, refusal, stream
from voltscope.cli.terminal import shown
from voltscope.errors import PeerUnexpected, VoltscopeError
from voltscope.live.views import View

# The profiler says something each 10 s, if only that it is there.
SILENCE_S = 60.0

DocumentT = TypeVar("DocumentT")


class Timed(msgspec.Struct, frozen=True):
    """What a source of system calls costs when it times them as well."""

    slowdown: float
    words: str


class Offer(msgspec.Struct, frozen=True):
    """One way to watch. `unavailable`: why not, and what to do about it; None when it can. `timed`: what it costs with
    latency, None where asking for that changes nothing.
    """

    name: str
    exact: bool
    slowdown: float
    words: str
    unavailable: str | None = None
    timed: Timed | None = None

    def with_latency(self) -> Offer:
        """The same, as it is when latency is asked for."""
        if self.timed is None:
            return self
        return msgspec.structs.replace(self, slowdown=self.timed.slowdown, words=self.timed.words)

    @property
    def cost(self) -> str:
        """What it sees and what that takes, as a sentence."""
        slower = "no slowdown beyond noise" if self.slowdown <= 1.0 else f"slows it ×{self.slowdown:.2f}"
        return f"{'sees everything' if self.exact else 'sees samples'}, {slower}."


class Offers(msgspec.Struct, frozen=True):
    """The sources of one view, the best first; `chosen` is taken unless another is named."""

    view: View
    sources: tuple[Offer, ...]
    chosen: str | None = None


class Sources(msgspec.Struct, frozen=True):
    """What can be watched of an agent."""

    agent: str
    pid: int
    views: tuple[Offers, ...]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One session as the profiler tells it. `ended`: why, None while it runs."""

    id: str
    agent: str
    pid: int
    view: View
    source: str
    exact: bool
    slowdown: float
    seconds: float
    state: str
    ended: str | None = None
    error: dict[str, str | None] | None = None


class LiveClient:
    """The live sessions of the profiler at `url`."""

    def __init__(self, url: str, secret: str | None) -> None:
        self._url, self._secret = url.rstrip("/"), secret

    def sources(self, agent: str) -> tuple[Sources, bytes]:
        """What can be watched of `agent`, and the same as the JSON it came in."""
        body = self._asked(f"/api/live/sources?agent={quote(agent)}")
        return self.read(body, Sources), body

    def begin(
        self,
        agent: str,
        view: View,
        seconds: int,
        source: str | None = None,
        rate: float | None = None,
        latency: bool = False,
    ) -> Session:
        """Begin a session. Raises PeerError, and RemoteError in the profiler's own words."""
        asked = {"agent": agent, "view": view.value, "seconds": seconds, "source": source, "rate": rate}
        if latency:
            asked["latency"] = True
        return self.read(self._asked("/api/live", asked), Session)

    def events(self, session: str) -> Iterator[tuple[str, bytes]]:
        """Kind and document of each event, until the profiler hangs up; close it to hang up."""
        url = f"{self._url}/api/live/{session}/events"
        yield from events(stream("profiler", url, secret=self._secret, timeout_s=SILENCE_S))

    def stop(self, session: str) -> None:
        """End a session, which may have ended. What goes wrong is said, not raised: it would hide why we stop."""
        try:
            ask("profiler", f"{self._url}/api/live/{session}", secret=self._secret, method="DELETE")
        except VoltscopeError as error:
            told = "The session could not be ended, and ends by itself when nobody reads it for 20 s"
            click.echo(f"{told}: {shown(str(error))}", err=True)

    def read(self, body: bytes, kind: type[DocumentT]) -> DocumentT:
        """`body` as a document of ours. Raises PeerUnexpected."""
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PeerUnexpected(
                f"the profiler at {public(self._url)} does not answer as live sessions do: {error}.",
                "Are both of one version?",
            ) from error

    def _asked(self, path: str, send: object = None) -> bytes:
        answer = ask("profiler", self._url + path, secret=self._secret, send=send, timeout_s=60)
        if answer.status >= 400:
            raise refusal("profiler", self._url, answer)
        return answer.body


def events(pieces: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Kind and data of each event of a `text/event-stream` (html.spec.whatwg.org, 9.2.6); comments are left out.

    Raises PeerUnexpected for a line of more than 64 MiB.
    """
    kind, data, rest = b"message", b"", b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > MAX_ANSWER:
            raise PeerUnexpected(f"the profiler says a line of over {MAX_ANSWER} bytes.", "Is it the profiler?")
        for line in lines:
            name, _, value = line.rstrip(b"\r").partition(b":")
            value = value.removeprefix(b" ")
            if name == b"event":
                kind = value
            elif name == b"data":
                data += value + b"\n"
            elif not name and not value:
                if data:
                    yield kind.decode(errors="replace"), data[:-1]
                kind, data = b"message", b""


def asked_at_a_terminal() -> bool:
    """Whether somebody is there to answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()
