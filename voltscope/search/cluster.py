"""Searches at Elasticsearch or OpenSearch: whole answers, or an error in plain words."""

from __future__ import annotations

import json
from queue import Empty, SimpleQueue
from typing import Any

import msgspec

from voltscope.errors import ConfigError, QueryError, ReceiverError, StoreError
from voltscope.outbound.http_client import TIMEOUT_S, Answer, AnswerTooLarge, HttpClient
from voltscope.outbound.keys import ServerKeys

_JSON = {"Content-Type": "application/json"}

# No index yet, and one that is closed, are no errors.
_SEARCH = "_search?ignore_unavailable=true&allow_no_indices=true&expand_wildcards=open"


class Row(msgspec.Struct):
    """A document found. `sort`: the values it was sorted by."""

    source: dict[str, Any] = msgspec.field(name="_source", default_factory=dict)
    sort: list[Any] = []


class _Total(msgspec.Struct):
    value: int = 0


class _Hits(msgspec.Struct):
    hits: list[Row] = []
    total: _Total = msgspec.field(default_factory=_Total)


class _Shards(msgspec.Struct):
    failed: int = 0
    failures: list[Any] = []


class Found(msgspec.Struct):
    """An answer. `aggregations`: as they were asked for, empty when there is no index yet."""

    hits: _Hits = msgspec.field(default_factory=_Hits)
    aggregations: dict[str, Any] = {}
    timed_out: bool = False
    shards: _Shards = msgspec.field(name="_shards", default_factory=_Shards)


_found = msgspec.json.Decoder(Found).decode


class TooMuch(StoreError):
    """The answer is larger than is read into memory: less must be asked for."""


class TooManyClauses(QueryError):
    """The query stands for more words than the store looks for at once."""


class Cluster:
    """The indices of one prefix, or the data stream of that name. Safe to share between threads."""

    def __init__(self, keys: ServerKeys, index: str, timeout_s: float = TIMEOUT_S) -> None:
        """`timeout_s`: of a search. Raises ConfigError for files that cannot be used."""
        self._keys, self._index, self._timeout_s = keys, index, timeout_s
        self._path = f"/{index},{index}-*/{_SEARCH}"
        self.where = f"{index} at {keys.urls[0]}"  # for words
        self._idle: SimpleQueue[HttpClient] = SimpleQueue()
        self._idle.put(self._client())  # now: a file that is not there is a fault of the configuration

    def search(self, body: dict[str, Any], time_limit_s: float | None = None) -> Found:
        """The answer to `body`; with `time_limit_s` what was found until then (`timed_out`).

        No index yet is an empty answer. Raises StoreError (TooMuch when it is the answer), TooManyClauses.
        """
        # the store's limit ends before ours, so that it says so itself
        longest_s = 0.8 * self._timeout_s
        limit_s = longest_s if time_limit_s is None else min(time_limit_s, longest_s)
        answer = self._asked(msgspec.json.encode({**body, "timeout": f"{max(1, round(limit_s * 1000))}ms"}))
        if answer.status != 200:
            raise self._refusal(answer)
        found = self._decoded(answer)
        if found.shards.failed:
            why = _reason({"root_cause": found.shards.failures})
            raise self._failure(f"{found.shards.failed} shards could not be searched", why)
        if found.timed_out and time_limit_s is None:
            raise StoreError(
                f"{self.where} did not finish the search in {limit_s:g} s.", "Narrow it, in time first of all."
            )
        return found

    def close(self) -> None:
        """End what connections there are."""
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return

    def _client(self) -> HttpClient:
        return HttpClient(self._keys, self._timeout_s, "searches")

    def _asked(self, body: bytes) -> Answer:
        try:
            try:
                client = self._idle.get_nowait()
            except Empty:
                client = self._client()
            try:
                return client.request("POST", self._path, body, _JSON)
            finally:
                self._idle.put(client)
        except ConfigError as error:
            raise StoreError(f"the log search is not configured as it should be: {error.message}") from error
        except ReceiverError as error:
            if isinstance(error.__cause__, AnswerTooLarge):
                raise TooMuch(f"{self.where}: {error.__cause__}.", "Ask for fewer records.") from error
            raise StoreError(
                error.message, "Is it running and reachable? log_search in the site file says where it is looked for."
            ) from error

    def _decoded(self, answer: Answer) -> Found:
        try:
            try:
                return _found(answer.body)
            except msgspec.DecodeError:
                # halves of surrogate pairs, which a store keeps and a decoder refuses
                return _found(json.dumps(json.loads(answer.body), ensure_ascii=False).encode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            raise StoreError(
                f"{self.where} answers what is no answer of Elasticsearch or OpenSearch.",
                "Check `url` of log_search in the site file.",
            ) from error

    def _refusal(self, answer: Answer) -> StoreError | QueryError:
        try:
            error = json.loads(answer.body)["error"]
        except (ValueError, TypeError, KeyError, RecursionError):
            error = None
        reason = _reason(error)
        if answer.status in (401, 403):
            return StoreError(
                f"{self.where} refuses the search: HTTP {answer.status} ({reason}).",
                "Check username and password_file, or api_key_file, of log_search in the site file, and that they "
                f"may read {self._index} and {self._index}-*.",
            )
        return self._failure(f"HTTP {answer.status}", reason)

    def _failure(self, what: str, why: str) -> StoreError | QueryError:
        if "maxClauseCount" in why or "_clauses" in why:
            return TooManyClauses("the query stands for more words than the store looks for at once: make it shorter.")
        if "fielddata" in why:  # strings are text where nobody said otherwise, and text is not counted
            return StoreError(
                f"{self.where} has indices that were made without our index template, and cannot be searched.",
                "Put the template there (docs/transports.md), and index their records again or delete them.",
            )
        return StoreError(f"{self.where} cannot search: {what} ({why}).", "Its own log says more; try again.")


def _reason(error: Any) -> str:
    """Why, in the store's own words, without what else a server may answer."""
    causes = error.get("root_cause") if isinstance(error, dict) else None
    cause = causes[0] if isinstance(causes, list) and causes else error
    if isinstance(cause, dict) and isinstance(cause.get("reason"), dict):  # of a shard
        cause = cause["reason"]
    if not isinstance(cause, dict):
        return "it does not say why"
    return f"{cause.get('type')}: {cause.get('reason')}"[:300]
