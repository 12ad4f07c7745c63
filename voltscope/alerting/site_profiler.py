"""A site's profiler, asked for the flamegraph of an agent that an alert is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from voltscope.errors import ReceiverError, RemoteError, UpstreamDown, VoltscopeError
from voltscope.outbound.http_client import HttpClient
from voltscope.outbound.keys import ServerKeys
from voltscope.site import Site
from voltscope.ulid import is_ulid
from voltscope.web.access import OPERATOR, Access

_TIMEOUT_S = 10.0


class SiteProfiler:
    """Its HTTP API. Every method raises UpstreamDown when nothing answers, RemoteError with what it says."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def for_alert(self, name: str, agent: str) -> dict[str, Any]:
        """The capture that the profiler takes for such an alert, asked for as Alertmanager would ask.

        The profiler takes one of an agent for an alert, whoever asks first; that one is found again.
        """
        labels = {"alertname": name, "agent": agent}
        notification = {"version": "4", "alerts": [{"status": "firing", "labels": labels}]}
        answer = self._ask("POST", "/api/alertmanager", notification)
        if answer.get("captures"):
            asked = answer["captures"][0]
            return {"id": asked["id"], "words": "Waiting for its turn."}
        skipped = (answer.get("skipped") or [{}])[0]
        reason = f"alert:{skipped.get('alert', name)}"
        for one in self._ask("GET", "/api/captures").get("captures", ()):
            if one.get("reason") == reason and one.get("agent") == agent and one.get("state") != "failed":
                found: dict[str, Any] = one
                return found
        raise RemoteError("no-capture", str(skipped.get("why") or "the profiler took none."))

    def capture(self, capture_id: str) -> dict[str, Any]:
        """One capture as it is now."""
        if not is_ulid(capture_id):
            raise RemoteError("no-capture", "the profiler gave an id that is none.")
        return self._ask("GET", f"/api/captures/{capture_id}")

    def _ask(self, method: str, path: str, document: object = None) -> dict[str, Any]:
        site = self._site
        headers = {"Content-Type": "application/json"} if document is not None else {}
        if site.credentials:
            secret = Access(Path(site.credentials).expanduser()).secret_of(OPERATOR)
            headers["Authorization"] = f"Bearer {secret}"
        client = HttpClient(ServerKeys(urls=(site.profiler,)), _TIMEOUT_S, "questions")
        try:
            body = msgspec.json.encode(document) if document is not None else b""
            answer = client.request(method, path, body, headers)
        except ReceiverError as error:
            raise UpstreamDown(
                f"the profiler at {site.profiler} does not answer: {error.__cause__ or error}."
            ) from error
        finally:
            client.close()
        try:
            found = msgspec.json.decode(answer.body)
            if answer.status >= 400:
                raise _refusal(found["error"], answer.status)
        except (ValueError, KeyError, TypeError) as error:
            raise UpstreamDown(
                f"what answers at {site.profiler} is no profiler: HTTP status {answer.status}."
            ) from error
        if not isinstance(found, dict):
            raise UpstreamDown(f"what answers at {site.profiler} is no profiler.")
        return found


def _refusal(error: dict[str, Any], status: int) -> VoltscopeError:
    return RemoteError(str(error["code"]), str(error["message"]), error.get("remedy"), status)
