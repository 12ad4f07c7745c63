"""The profiler of a site as the commands ask it: captures, what was sampled in a time, differences, thread dumps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from voltscope.cli.operator import secret_or_none
from voltscope.cli.peers import ask, ask_json, public, refusal
from voltscope.errors import PeerUnexpected, ProfileError, RemoteError, VoltscopeError

if TYPE_CHECKING:
    from voltscope.site import Site

SUFFIX = {
    "svg": ".svg", "folded": ".folded", "speedscope": ".speedscope.json", "json": ".json", "pb.gz": ".pb.gz"
}  # fmt: skip
FORMATS = tuple(SUFFIX)
POLL_INTERVAL_S = 0.2
# beyond the recording itself: waiting for a turn, attaching, writing
PATIENCE_S = 60.0

Progress = Callable[[str, float], None]


class Profiler:
    """The profiler at `url`; `secret` may be None, which allows reading only."""

    def __init__(self, url: str, secret: str | None) -> None:
        self._url, self._secret = url.rstrip("/"), secret

    def start(self, **wanted: Any) -> str:
        """Ask for a capture with the parameters of docs/profiling.md; those that are None or False are left out.

        Its id. Raises PeerError and RemoteError with the profiler's own words.
        """
        asked = {name: value for name, value in wanted.items() if value not in (None, False) or name == "keep"}
        return str(self._object("/api/captures", asked).get("id"))

    def wait(self, capture: str, seconds: float, progress: Progress) -> dict[str, Any]:
        """The finished capture. `progress(state, share)` is called at each look. Raises ProfileError when it failed."""
        deadline = time.monotonic() + seconds + PATIENCE_S
        while True:
            found = self._object(f"/api/captures/{capture}")
            state = str(found.get("state"))
            progress(state, float(found.get("progress") or 0.0))
            if state == "done":
                return found
            if state == "failed":
                raise failure(found)
            if time.monotonic() > deadline:
                raise ProfileError(
                    f"capture {capture} is not done {PATIENCE_S:.0f} s after its time.",
                    "See the log of the agent voltscope.profiler, and: voltscope captures",
                )
            time.sleep(POLL_INTERVAL_S)

    def cancel(self, capture: str) -> None:
        """End a capture before its time; it is not kept."""
        ask("profiler", f"{self._url}/api/captures/{capture}", secret=self._secret, method="DELETE")

    def download(self, capture: str, form: str) -> bytes:
        """The capture as `form`, one of FORMATS."""
        return self._file(self.address(capture, form))

    def difference(self, before: str, after: str, form: str) -> bytes:
        """Two captures compared, as svg, folded or json."""
        return self._file(f"{self._url}/difference.{form}?{urlencode({'before': before, 'after': after})}")

    def merged(self, agent: str, kind: str, since: float, until: float, reason: str | None = None) -> dict[str, Any]:
        """All that was sampled of `agent` between two moments (seconds since the epoch), as in the format json."""
        asked = {"agent": agent, "kind": kind, "since": since, "until": until, **({"reason": reason} if reason else {})}
        return self._object(f"/merged.json?{urlencode(asked)}", timeout_s=60)

    def document(self, capture: str) -> dict[str, Any]:
        """A finished capture in the format json."""
        return self._object(f"/captures/{capture}.json", timeout_s=60)

    def threads(self, agent: str) -> dict[str, Any]:
        """A thread dump."""
        return self._object("/api/threads", {"agent": agent}, timeout_s=60)

    def address(self, capture: str, form: str) -> str:
        """Where the capture is served as `form`."""
        return f"{self._url}/captures/{capture}{SUFFIX[form]}"

    def captures(self) -> list[dict[str, Any]]:
        """Every capture there is, newest first."""
        found = self._object("/api/captures").get("captures")
        if not isinstance(found, list):
            raise PeerUnexpected(f"what answers at {public(self._url)} is no profiler.", "See the site file (--site).")
        return found

    def _file(self, url: str) -> bytes:
        answer = ask("profiler", url, secret=self._secret, timeout_s=60)
        if answer.status >= 400:
            raise refusal("profiler", url, answer)
        if answer.status != 200:
            raise PeerUnexpected(f"the profiler at {public(url)} answers with HTTP status {answer.status}.")
        return answer.body

    def _object(self, path: str, send: object = None, timeout_s: float = 10.0) -> dict[str, Any]:
        return ask_json("profiler", self._url + path, secret=self._secret, send=send, timeout_s=timeout_s)


def reader(site: Site) -> Profiler:
    """The profiler for reading only; most listeners let anyone on this machine read, so a secret is no must."""
    return Profiler(site.profiler, secret_or_none(site))


def failure(asked: dict[str, Any]) -> RemoteError:
    """The profiler's own error of a capture, or of a live session, that was begun and failed."""
    error = asked.get("error")
    if not isinstance(error, dict):
        return RemoteError("profile", str(error or asked.get("words") or "the capture failed."))
    code = str(error.get("code"))
    return RemoteError(code, str(error.get("message")), error.get("remedy"), _status_of(code))


def _status_of(code: str) -> int:
    """The HTTP status of the error of that code, had it been one at once."""
    kinds: list[type[VoltscopeError]] = [VoltscopeError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return next((kind.status for kind in kinds if kind.code == code), RemoteError.status)
