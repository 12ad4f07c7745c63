"""A store's index template: made where there is none, renewed where an older one of ours is, else left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from voltscope.errors import ReceiverError
from voltscope.logs.transports.index_template import ANALYZER, MADE_BY, VERSION, Flavour, marked
from voltscope.outbound.http_client import Answer, HttpClient

Ask = Callable[[str, str, dict[str, Any] | None], Answer]
"""Method, path, body; raises ReceiverError for what is to be tried again."""

_JSON = {"Content-Type": "application/json"}


class _Named(msgspec.Struct):
    index_template: dict[str, Any]


class _Templates(msgspec.Struct):
    index_templates: list[_Named] = []


def asking(http: HttpClient, refused: Callable[[Answer], ReceiverError]) -> Ask:
    """Asks by `http`, and raises `refused` of an answer to come back after."""

    def ask(method: str, path: str, body: dict[str, Any] | None) -> Answer:
        content = b"" if body is None else msgspec.json.encode(body)
        answer = http.request(method, path, content, _JSON)
        if answer.status in (401, 429) or answer.status >= 500:
            raise refused(answer)
        return answer

    return ask


def add_template(ask: Ask, index: str, template: dict[str, Any]) -> Answer:
    """Make `template` unless there is one named `index`. Whoever may not make it goes on all the same."""
    return ask("PUT", f"/_index_template/{index}?create=true", template)


def keep_template(ask: Ask, index: str, data_stream: bool) -> None:
    """See that there is one named `index`. Whoever may not make it goes on all the same.

    One that says by its `_meta` that we made it is renewed when ours is of a later version: what others may have set
    there, an index lifecycle above all, stays.
    """
    there = _template_there(ask, index)
    if there is not None and not _older_of_ours(there):
        return
    for flavour in (_flavour(ask), "plain"):
        ours = marked(index, data_stream, flavour)
        if there is None:
            answer = add_template(ask, index, ours)
        else:
            answer = ask("PUT", f"/_index_template/{index}", _renewed(there, ours))
        if answer.status != 400 or b"already exists" in answer.body:
            return


def finds_words(http: HttpClient, index: str) -> bool | None:
    """Whether `index`, made now, would be searched by our words; None when the store does not say.

    Raises ReceiverError when it does not answer at all.
    """
    answer = http.request("POST", f"/_index_template/_simulate_index/{index}")
    if answer.status != 200:  # no right to ask, or a store that does not know the question
        return None
    try:
        template = msgspec.json.decode(answer.body)["template"]
        fields = template.get("mappings", {}).get("properties", {})
        name = fields.get("service", {}).get("properties", {}).get("name", {})
        return all(
            field.get("analyzer") == ANALYZER
            for field in (fields.get("message", {}), name.get("fields", {}).get("words", {}))
        )
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return None


def _template_there(ask: Ask, index: str) -> dict[str, Any] | None:
    answer = ask("GET", f"/_index_template/{index}", None)
    if answer.status != 200:
        return None
    try:
        found = msgspec.json.decode(answer.body, type=_Templates).index_templates
    except msgspec.DecodeError:
        return None
    return found[0].index_template if found else None


def _older_of_ours(there: dict[str, Any]) -> bool:
    made_by = (there.get("_meta") or {}).get("made_by")
    version = there.get("version")
    return made_by == MADE_BY and isinstance(version, int) and version < VERSION


def _renewed(there: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """`there` with the mappings and analyzers of `ours`."""
    before, new = there.get("template") or {}, ours["template"]
    index = new["settings"]["index"] | (before.get("settings") or {}).get("index", {})
    index["analysis"] = new["settings"]["index"]["analysis"]
    inside = before | {"settings": {"index": index}, "mappings": new["mappings"]}
    return there | {"version": ours["version"], "_meta": ours["_meta"], "template": inside}


def _flavour(ask: Ask) -> Flavour:
    answer = ask("GET", "/?filter_path=version.distribution", None)
    return "opensearch" if b'"opensearch"' in answer.body else "elasticsearch"
