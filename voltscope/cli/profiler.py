"""The profiler of a site as the commands ask it: start a capture, wait for it, download it, list them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voltscope.cli.peers import ask, ask_json, public, refusal
from voltscope.errors import (
    CredentialsError,
    PeerUnexpected,
    ProfileError,
    ProfilingRefused,
    RemoteError,
    VoltscopeError,
)

if TYPE_CHECKING:
    from voltscope.site import Site

FORMATS = ("svg", "folded", "speedscope")
SUFFIX = {"svg": ".svg", "folded": ".folded", "speedscope": ".speedscope.json"}
POLL_INTERVAL_S = 0.2
# beyond the recording itself: waiting for a turn, attaching, writing
PATIENCE_S = 60.0

Progress = Callable[[str, float], None]


class Profiler:
    """The profiler at `url`; `secret` may be None, which allows reading only."""

    def __init__(self, url: str, secret: str | None) -> None:
        self._url, self._secret = url.rstrip("/"), secret

    def start(self, agent: str, seconds: int, rate: int, kind: str, idle: bool | None) -> str:
        """Ask for a capture; its id. Raises PeerError and RemoteError with the profiler's own words."""
        wanted: dict[str, Any] = {"agent": agent, "seconds": seconds, "rate": rate, "kind": kind}
        if idle is not None:
            wanted["idle"] = idle
        return str(self._object("/api/captures", wanted).get("id"))

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
                raise _failure(found)
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
        url = self.address(capture, form)
        answer = ask("profiler", url, secret=self._secret, timeout_s=60)
        if answer.status >= 400:
            raise refusal("profiler", url, answer)
        if answer.status != 200:
            raise PeerUnexpected(f"the profiler at {public(url)} answers with HTTP status {answer.status}.")
        return answer.body

    def address(self, capture: str, form: str) -> str:
        """Where the capture is served as `form`."""
        return f"{self._url}/captures/{capture}{SUFFIX[form]}"

    def captures(self) -> list[dict[str, Any]]:
        """Every capture there is, newest first."""
        found = self._object("/api/captures").get("captures")
        if not isinstance(found, list):
            raise PeerUnexpected(f"what answers at {public(self._url)} is no profiler.", "See the site file (--site).")
        return found

    def _object(self, path: str, send: object = None) -> dict[str, Any]:
        return ask_json("profiler", self._url + path, secret=self._secret, send=send)


def operator_secret(site: Site) -> str:
    """The secret for writes. Raises CredentialsError saying why there is none to be had."""
    from voltscope.web.access import OPERATOR, Access

    if not site.credentials:
        raise CredentialsError(
            "a capture needs the operator's secret, and the site file names no credential file.",
            'Add "credentials": "FILE" to the site file (--site).',
        )
    try:
        secret = Access(Path(site.credentials)).secret_of(OPERATOR)
    except CredentialsError as error:
        if isinstance(error.__cause__, PermissionError):
            raise CredentialsError(error.message, "Run this as the platform's user, or as root.") from error
        raise
    if secret is None:
        raise CredentialsError(
            f"the credential file {site.credentials} has no user with the role operator.",
            "Add one, or name another file in the site file (--site).",
        )
    return secret


def reader(site: Site) -> Profiler:
    """The profiler for reading only; most listeners let anyone on this machine read, so a secret is no must."""
    try:
        return Profiler(site.profiler, operator_secret(site))
    except VoltscopeError:
        return Profiler(site.profiler, None)


def _failure(capture: dict[str, Any]) -> RemoteError:
    """The profiler's own error of a capture that was begun and failed."""
    error = capture.get("error")
    if not isinstance(error, dict):
        return RemoteError("profile", str(error or capture.get("words") or "the capture failed."))
    status = ProfilingRefused.status if error.get("code") == ProfilingRefused.code else RemoteError.status
    return RemoteError(str(error.get("code")), str(error.get("message")), error.get("remedy"), status)
