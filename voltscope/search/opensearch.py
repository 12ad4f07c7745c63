"""Records found in OpenSearch or Elasticsearch, as the embedded store finds them: same queries, same order."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from typing import Any as Json
from typing import Literal

from voltscope.errors import ConfigError, QueryError, StoreError
from voltscope.logs.record import LEVELS, Hit
from voltscope.outbound.http_client import TIMEOUT_S
from voltscope.outbound.keys import ServerKeys
from voltscope.search.cluster import Cluster, Row, TooManyClauses, TooMuch
from voltscope.search.counting import FACETS
from voltscope.search.dsl import Query, beginnings, query_of
from voltscope.search.fields import BY_NAME
from voltscope.search.query import tree_of
from voltscope.search.searcher import Facet, Facets, Histogram, Page, Wish
from voltscope.search.spans import spans_between

_PAGE = 2000  # records of one answer: half a megabyte, usually
_MOST_VALUES = 10_000
_MOST_NAMED = 5  # of others' sites and of indices, where nothing is found
_REMARK_S = 5.0
_CURSOR = re.compile(r"(?P<spool>[0-9A-Za-z]{1,40})\.(?P<sequence>\d{1,18})", re.A)
_Place = tuple[str, int]
_Order = Literal["asc", "desc"]


class OpenSearchSearcher:
    """The records that logship sent of one site's platform. Safe to share between threads.

    A cursor is SPOOL.SEQUENCE. Spools are named in the order of their age (ULIDs), and a spool's records are numbered,
    so that both together are the order in which they were logged. What a data stream has twice is found once, and
    counted twice.
    """

    def __init__(
        self, keys: ServerKeys, index: str, site: str, instance: str | None, timeout_s: float = TIMEOUT_S
    ) -> None:
        """`index`: as the transport's. `site`, `instance`: labels of the records that are looked for; `instance` None:
        of every instance of the site. Raises StoreError for files that cannot be used.
        """
        try:
            self._cluster = Cluster(keys, index, timeout_s)
        except ConfigError as error:
            raise StoreError(f"log_search in the site file cannot be used: {error.message}") from error
        self._whose = f"site {site}" if instance is None else f"site {site}, instance {instance}"
        labels = {"labels.site": site} if instance is None else {"labels.site": site, "labels.instance": instance}
        self._ours: list[Query] = [{"term": {path: value}} for path, value in labels.items()]
        self._ours += [{"exists": {"field": path}} for path in ("labels.spool", "event.sequence")]

    def find(self, wish: Wish, limit: int = 100, before: str | None = None) -> Page:
        """Newest first; `before` is a page's, as it came. Raises QueryError, StoreError."""
        place = None if before is None else _place(before)
        hits = list(self._found(self._query(wish), "desc", place, limit + 1))
        return Page(hits[:limit], hits[limit - 1].cursor if len(hits) > limit > 0 else None)

    def follow(self, wish: Wish, after: str, limit: int = 500) -> list[Hit]:
        """Records after the one with cursor `after`, oldest first. Raises QueryError, StoreError."""
        place = None if after == "0" else _place(after)
        return list(self._found(self._query(wish), "asc", place, limit))

    def histogram(self, wish: Wish, spans: int = 60, time_limit_s: float = 2.0) -> Histogram:
        """At most `spans` spans (see `spans_between`) from `wish.since`, else from the oldest record there is, to
        `wish.until`, else to now. When the time is up nobody knows what was counted. Raises QueryError, StoreError.
        """
        query = self._query(wish)
        until = round((time.time() if wish.until is None else wish.until) * 1000)
        since = self._oldest(until) if wish.since is None else round(wish.since * 1000)
        between = spans_between(since, until, spans)
        times = {"range": {"@timestamp": {"gte": between.start, "lt": between.end, "format": "epoch_millis"}}}
        found = self._cluster.search(
            {
                "size": 0,
                "query": {"bool": {"filter": [query, times]}},
                "aggs": {
                    "spans": {
                        "date_histogram": {
                            "field": "@timestamp",
                            "fixed_interval": f"{between.step}ms",
                            "offset": f"{between.start % between.step}ms",
                            "min_doc_count": 1,
                        },
                        "aggs": {"levels": {"terms": {"field": "log.level", "size": len(LEVELS)}}},
                    }
                },
            },
            time_limit_s,
        )
        counts = {level: [0] * between.count for level in LEVELS}
        for span in _buckets(found.aggregations, "spans"):
            number = (int(span["key"]) - between.start) // between.step
            for level in _buckets(span, "levels"):
                if level["key"] in counts:
                    counts[level["key"]][number] = level["doc_count"]
        uncounted = between.end / 1000 if found.timed_out else None
        return Histogram(between.start / 1000, between.step / 1000, counts, not found.timed_out, uncounted)

    def facets(self, wish: Wish, fields: Sequence[str], most: int = 10, time_limit_s: float = 2.0) -> Facets:
        """Counts by the values of `fields`: agent, level, logger, error, stream. Raises QueryError, StoreError."""
        for name in fields:
            if name not in FACETS:
                raise QueryError(f"records are not counted by {name!r}, but by {', '.join(FACETS)}.")
        asked: dict[str, Json] = {"size": 0, "query": self._query(wish), "track_total_hits": True}
        if fields:
            # each of the indices tells so many, or the sums would be of those that were commonest there
            sizes = {"size": max(1, most), "shard_size": _MOST_VALUES}
            asked["aggs"] = {name: {"terms": {"field": BY_NAME[name].path, **sizes}} for name in fields}
        found = self._cluster.search(asked, time_limit_s)
        facets = []
        for name in fields:
            values = [(bucket["key"], bucket["doc_count"]) for bucket in _buckets(found.aggregations, name)]
            others = found.aggregations.get(name, {}).get("sum_other_doc_count", 0)
            facets.append(Facet(name, values[:most], others + sum(count for _, count in values[most:])))
        return Facets(facets, found.hits.total.value, not found.timed_out)

    def context(self, cursor: str, before: int = 20, after: int = 20, agent: str | None = None) -> list[Hit]:
        """The record with that cursor and its neighbours, oldest first. Raises QueryError, StoreError."""
        place = spool, sequence = _place(cursor)
        itself = {"bool": {"filter": [{"term": {"event.sequence": sequence}}, {"term": {"labels.spool": spool}}]}}
        near = self._query(Wish(agent=agent))
        older = list(self._found(near, "desc", place, before))
        newer = list(self._found(near, "asc", place, after))
        here = [Hit.from_document(row.source, cursor) for row in self._rows(self._within(itself), "asc", None, 1)]
        return [*reversed(older), *here, *newer]

    def agents(self) -> list[str]:
        """Identities there are records of, sorted. Raises StoreError."""
        named = {"terms": {"field": "service.name", "size": _MOST_VALUES}}
        found = self._cluster.search({"size": 0, "query": self._within(), "aggs": {"agents": named}})
        return sorted(bucket["key"] for bucket in _buckets(found.aggregations, "agents"))

    def newest(self) -> str:
        """The newest record's cursor; `0` when there is none. Raises StoreError."""
        for spool in reversed(self._spools()):
            query = self._within({"term": {"labels.spool": spool}})
            for row in self._rows(query, "desc", None, 1, source=False):  # it may be megabytes, and is asked for often
                return f"{spool}.{row.sort[0]}"
        return "0"

    def remark(self) -> str | None:
        """That there are none of ours, but of others; or that some were indexed without our template. Raises
        StoreError.
        """
        ours = self._cluster.search({"size": 0, "query": self._within(), "track_total_hits": 1})
        return self._unworded() if ours.hits.total.value else self._others()

    def close(self) -> None:
        """End what connections there are."""
        self._cluster.close()

    def _others(self) -> str:
        """Whose records there are where none are of ours."""
        asked: dict[str, Json] = {"size": 0, "track_total_hits": 1}
        if not self._cluster.search(asked).hits.total.value:
            return f"There are no records in {self._cluster.where} yet."
        instances = {"terms": {"field": "labels.instance", "size": _MOST_NAMED}}
        sites = {"terms": {"field": "labels.site", "size": _MOST_NAMED}, "aggs": {"instances": instances}}
        named = self._cluster.search({**asked, "aggs": {"sites": sites}}).aggregations
        found = [
            " ".join([site["key"], *(f"({bucket['key']})" for bucket in _buckets(site, "instances"))])
            for site in _buckets(named, "sites")
        ]
        return (
            f"{self._cluster.where} has records, but none that logship sent of {self._whose}; "
            f"of {', '.join(found) or 'no site that has a name'}. Site and instance must be the same in the site file "
            "and in logship's configuration."
        )

    def _unworded(self) -> str | None:
        """Which indices do not know the words in names."""
        name = BY_NAME["agent"].path
        query = {
            "bool": {
                "filter": [*self._ours, {"exists": {"field": name}}],
                "must_not": [{"exists": {"field": f"{name}.words"}}],
            }
        }
        indices = {"indices": {"terms": {"field": "_index", "size": _MOST_NAMED}}}
        found = self._cluster.search({"size": 0, "query": query, "aggs": indices}, _REMARK_S)
        names = [bucket["key"] for bucket in _buckets(found.aggregations, "indices")]
        if not names:
            return None
        return (
            f"{', '.join(names)}: made without our index template, so that words in names of agents, loggers and "
            "levels are not found there, and others may not be. New indices follow the template that is there now."
        )

    def _within(self, *queries: Query) -> Query:
        return {"bool": {"filter": [*self._ours, *queries]}}

    def _query(self, wish: Wish) -> Query:
        """What finds the wish's records. Raises QueryError also when the store would not find all of them."""
        tree = tree_of(wish)
        for query in beginnings(tree):
            try:
                self._cluster.search({"size": 0, "query": query, "terminate_after": 1, "track_total_hits": False})
            except TooManyClauses as error:
                raise QueryError(
                    "too many words begin as the last one of a phrase does: write more of it, or leave out the phrase."
                ) from error
        return self._within(query_of(tree))

    def _oldest(self, default: int) -> int:
        """The oldest record's time, milliseconds since the epoch."""
        asked = {"size": 0, "query": self._within(), "aggs": {"oldest": {"min": {"field": "@timestamp"}}}}
        oldest = self._cluster.search(asked).aggregations.get("oldest", {}).get("value")
        return default if oldest is None else int(oldest)

    def _spools(self) -> list[str]:
        """Those we have records of, oldest first."""
        # of an index in which nothing changed the store keeps this answer
        named = {"terms": {"field": "labels.spool", "size": _MOST_VALUES}}
        found = self._cluster.search({"size": 0, "query": self._within(), "aggs": {"spools": named}})
        return sorted(str(bucket["key"]) for bucket in _buckets(found.aggregations, "spools"))

    def _found(self, query: Query, order: _Order, after: _Place | None, limit: int) -> Iterator[Hit]:
        """At most `limit` records behind that place.

        One spool is asked for after the other: sorted by a number alone, the store leaves out what it need not look
        at. Sorted by spool and number, a page of 300,000 records took it 60 ms instead of 10.
        """
        spools = self._spools()
        for spool in spools if order == "asc" else reversed(spools):
            if after is not None and spool != after[0] and (spool < after[0]) == (order == "asc"):
                continue
            within = {"bool": {"filter": [query, {"term": {"labels.spool": spool}}]}}
            sequence = after[1] if after is not None and spool == after[0] else None
            for row in self._rows(within, order, sequence, limit):
                yield Hit.from_document(row.source, f"{spool}.{row.sort[0]}")
                limit -= 1
            if limit <= 0:
                return

    def _rows(self, query: Query, order: _Order, after: int | None, limit: int, source: bool = True) -> Iterator[Row]:
        """At most `limit` documents behind that sequence, each once, in answers that fit into memory."""
        body: dict[str, Json] = {
            "query": query,
            "_source": source,
            "track_total_hits": False,
            "sort": [{"event.sequence": {"order": order, "unmapped_type": "long"}}],
        }
        size = _PAGE
        while limit > 0:
            body["size"] = min(size, limit)
            if after is not None:
                body["search_after"] = [after]
            try:
                rows = self._cluster.search(body).hits.hits
            except TooMuch:
                if body["size"] == 1:
                    raise
                size = body["size"] // 2
                continue
            for row in rows:
                if row.sort[0] != after:
                    after, limit = row.sort[0], limit - 1
                    yield row
            if len(rows) < body["size"]:
                return


def _place(cursor: str) -> _Place:
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise QueryError(f"{cursor[:60]!r} is no place among the records of this store.")
    return found["spool"], int(found["sequence"])


def _buckets(aggregations: dict[str, Json], name: str) -> list[dict[str, Json]]:
    buckets: list[dict[str, Json]] = aggregations.get(name, {}).get("buckets", [])
    return buckets
