"""Elasticsearch and OpenSearch by their bulk API: a document's id is the event's, so that no retry doubles a record."""

from __future__ import annotations

import gzip
import logging
import re
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec

from voltscope.errors import ReceiverError
from voltscope.logs.record import Batch, iso
from voltscope.logs.settings import ElasticsearchReceiver
from voltscope.logs.transports.base import Promise, Transport
from voltscope.logs.transports.dead_letters import DeadLetter, DeadLetters
from voltscope.logs.transports.ecs import EcsRenderer
from voltscope.logs.transports.template_upkeep import asking, finds_words, keep_template
from voltscope.outbound.http_client import TIMEOUT_S, Answer, HttpClient, refusal

_log = logging.getLogger(__name__)

# A request's body before compression. Elasticsearch advises 5 to 15 MB and refuses 100; proxies refuse less.
_REQUEST_BYTES = 8 << 20
_DAY_MS = 86_400_000
_LOOK_AGAIN_S = 600.0  # at a template that was not as it should be
PAGE = 10_000  # a search gives no more

# The store answers before we stop listening; of each item only what is read here comes back.
_BULK = "/_bulk?timeout=20s&filter_path=errors,items.create.status,items.create.error.type,items.create.error.reason"
_JSON = {"Content-Type": "application/json"}

# Goes by itself: too much to do, a shard on its way. 401, 403 and 404 (rights, a block, no index and none may be made)
# are the operator's to change.
_PASSING = {429, 500, 502, 503, 504}

# Status 400 and yet nothing is wrong with the record: no room for another index, an index closed or misnamed.
_NOT_THE_RECORD = {"validation_exception", "index_closed_exception", "invalid_index_name_exception"}


class _Error(msgspec.Struct):
    type: str = "unknown"
    reason: str | None = None


class _Outcome(msgspec.Struct):
    status: int
    error: _Error | None = None


class _Item(msgspec.Struct):
    create: _Outcome


class _Answered(msgspec.Struct):
    errors: bool
    items: list[_Item] = []


_answered = msgspec.json.Decoder(_Answered).decode


class _Hit(msgspec.Struct):
    sort: list[int]


class _Hits(msgspec.Struct):
    hits: list[_Hit] = []


class _Found(msgspec.Struct):
    hits: _Hits = msgspec.field(default_factory=_Hits)


class ElasticsearchTransport(Transport):
    """One cluster. What it has taken of a batch is not sent again when the rest has to be.

    Into daily indices each record goes once: its index follows from its own time, and its id from where it stands in
    the log. A data stream may roll over between a write and its retry, and then keeps both.
    """

    def __init__(self, receiver: ElasticsearchReceiver, folder: Path, timeout_s: float = TIMEOUT_S) -> None:
        """`folder`: dead letters are in `dead-letters` below it. `timeout_s`: of a request.

        Raises ConfigError for files it cannot read.
        """
        self.name = f"elasticsearch+{receiver.urls[0].rstrip('/')}/{receiver.index}"
        self.promise: Promise = "acknowledged" if receiver.data_stream else "once"
        self.max_records, self.joins = 2000, True
        self.dead_letters = 0
        self._receiver = receiver
        self._http = HttpClient(receiver, timeout_s)
        self._prepared, self._looked_at = 0, 0.0  # on which connection, and when, the template was last seen to
        self._most_bytes = _REQUEST_BYTES
        self._render = EcsRenderer()
        self._days: dict[int, str] = {}
        self._left: tuple[str, int, int, list[int]] | None = None  # spool, first and last of a batch; what is to do
        self._dead = DeadLetters(
            folder / "dead-letters" / f"{re.sub('[^a-z0-9.-]+', '_', self.name)}.ndjson",
            int(receiver.dead_letter_mb * 1024 * 1024),
        )

    def send(self, batch: Batch) -> None:
        self.send_all([batch])

    def send_all(self, batches: Sequence[Batch]) -> None:
        items = [item for batch in batches for item in self._items(batch)]
        whole = (batches[0].spool, batches[0].first, batches[-1].last)
        left = range(len(items)) if self._left is None or self._left[:3] != whole else self._left[3]
        work = deque(self._parts(items, left))
        again: list[int] = []
        reason: _Outcome | None = None
        try:
            while work:
                part = work[0]
                self._prepare()
                answer = self._http.request(*self._bulk(items, part))
                if answer.status == 413 and len(part) > 1:
                    self._most_bytes = sum(len(items[index]) for index in part) // 2
                    work[0] = part[: len(part) // 2]
                    work.insert(1, part[len(part) // 2 :])
                    continue
                for index, outcome in self._settle(items, part, answer):
                    again.append(index)
                    # of several reasons the one that needs somebody
                    reason = outcome if reason is None or outcome.status not in _PASSING else reason
                work.popleft()
        except ReceiverError:
            self._left = (*whole, sorted([*again, *(index for part in work for index in part)]))
            raise
        self._left = (*whole, again) if again else None
        if reason is not None:
            error = reason.error or _Error()
            raise ReceiverError(
                f"{self.name} does not take {len(again)} of {len(items)} records: "
                f"status {reason.status}, {error.type}: {error.reason}.",
                "They are sent again, only they; the rest has arrived.",
                permanent=reason.status not in _PASSING,
            )

    def close(self) -> None:
        self._http.close()

    def stored(self, spool: str, after: int, last: int) -> list[int]:
        """Sequences above `after` up to `last` that the store has of `spool`, ascending, at most 10,000 of them.

        What two indices have comes twice. Raises ReceiverError.
        """
        query = {
            "size": PAGE,
            "_source": False,
            "track_total_hits": False,
            "sort": [{"event.sequence": {"order": "asc", "unmapped_type": "long"}}],
            "query": {
                "bool": {
                    "filter": [
                        # match, not term: finds it also where dynamic mapping made text of it
                        {"match": {"labels.spool": spool}},
                        {"range": {"event.sequence": {"gt": after, "lte": last}}},
                    ]
                }
            },
        }
        where = self._receiver.index if self._receiver.data_stream else f"{self._receiver.index}-*"
        path = f"/{where}/_search?ignore_unavailable=true&allow_partial_search_results=false&filter_path=hits.hits.sort"
        answer = self._http.request("POST", path, msgspec.json.encode(query), _JSON)
        if answer.status != 200:
            raise self._refusal(answer)
        try:
            return [hit.sort[0] for hit in msgspec.json.decode(answer.body, type=_Found).hits.hits]
        except msgspec.DecodeError as error:
            raise self._nonsense(answer) from error

    def refresh(self) -> None:
        """Make findable what was written. Raises ReceiverError; a store that does not let us is left alone."""
        where = self._receiver.index if self._receiver.data_stream else f"{self._receiver.index}-*"
        self._http.request("POST", f"/{where}/_refresh?ignore_unavailable=true")

    def dead_sequences(self, spool: str) -> set[int]:
        """The sequences of `spool` that the store refused for good, as far as the file reaches back."""
        return set(self._dead.sequences(spool))

    def _items(self, batch: Batch) -> list[bytes]:
        """Each record as its two lines of the request."""
        generation = batch.source.generation
        made = []
        for record, document in zip(batch.records, self._render(batch), strict=True):
            index = self._index(record.at)
            action = f'{{"create":{{"_index":"{index}","_id":"{generation}{record.offset:012x}"}}}}\n'
            made.append(f"{action}{document}\n".encode("utf-8", "replace"))
        return made

    def _index(self, at: int) -> str:
        if self._receiver.data_stream:
            return self._receiver.index
        day = at // _DAY_MS
        name = self._days.get(day)
        if name is None:
            if len(self._days) > 100:
                self._days.clear()
            name = self._days[day] = f"{self._receiver.index}-{iso(day * 86_400)[:10].replace('-', '.')}"
        return name

    def _parts(self, items: Sequence[bytes], left: Sequence[int]) -> list[list[int]]:
        """`left` in requests of at most so many bytes, or of a single record."""
        parts: list[list[int]] = []
        size = self._most_bytes
        for index in left:
            if not parts or size + len(items[index]) > self._most_bytes:
                parts.append([])
                size = 0
            parts[-1].append(index)
            size += len(items[index])
        return parts

    def _bulk(self, items: Sequence[bytes], part: Sequence[int]) -> tuple[str, str, bytes, dict[str, str]]:
        body = b"".join(items[index] for index in part)
        headers = {"Content-Type": "application/x-ndjson"}
        if self._receiver.compression:
            body = gzip.compress(body, self._receiver.compression, mtime=0)
            headers["Content-Encoding"] = "gzip"
        return "POST", _BULK, body, headers

    def _settle(self, items: Sequence[bytes], part: Sequence[int], answer: Answer) -> list[tuple[int, _Outcome]]:
        """What of `part` must be sent again, and why. What the store refuses for good goes to the dead letters."""
        if answer.status == 413:
            outcomes = [_Outcome(413, _Error("too_large", "the store takes no request of this size"))]
        elif answer.status == 200:
            outcomes = self._outcomes(answer, len(part))
        else:
            raise self._refusal(answer)
        later: list[tuple[int, _Outcome]] = []
        dead: list[DeadLetter] = []
        for index, outcome in zip(part, outcomes, strict=True):
            status, error = outcome.status, outcome.error or _Error()
            if status < 300 or status == 409:  # 409: it is there already
                continue
            if status == 413 or (status == 400 and error.type not in _NOT_THE_RECORD):
                action, document, _ = items[index].split(b"\n")
                where = msgspec.json.decode(action)["create"]["_index"]
                dead.append(DeadLetter(status, error.type, error.reason or "", where, document))
            else:
                later.append((index, outcome))
        if dead:
            self._dead.add(dead)
            self.dead_letters += len(dead)
        return later

    def _outcomes(self, answer: Answer, count: int) -> list[_Outcome]:
        try:
            items = _answered(answer.body).items
        except msgspec.DecodeError as error:
            raise self._nonsense(answer) from error
        if len(items) != count:
            raise self._nonsense(answer)
        return [item.create for item in items]

    def _prepare(self) -> None:
        """See to the index template once a connection, for it may lead to another, or an emptied, store; and once more
        while there is something wrong with it.
        """
        self._http.connect()
        again = self.warning is not None and time.monotonic() - self._looked_at > _LOOK_AGAIN_S
        if self._prepared == self._http.connections and not again:
            return
        index, data_stream = self._receiver.index, self._receiver.data_stream
        if self._receiver.template:
            keep_template(asking(self._http, self._refusal), index, data_stream)
        found = finds_words(self._http, self._index(round(time.time() * 1000)))
        if found is False:
            self._warn(
                f"{self.name}: the index template in force there is not ours: words in names of agents, loggers and "
                "levels will not be found. Put logstash/templates in its place, or delete it and ours is made."
            )
        elif found:
            self.warning = None
        self._prepared, self._looked_at = self._http.connections, time.monotonic()

    def _warn(self, text: str) -> None:
        if self.warning is None:  # once: what we say is logged by the platform, and read by us again
            _log.warning("%s", text)
        self.warning = text

    def _refusal(self, answer: Answer) -> ReceiverError:
        rights = "Check username and password_file, or api_key_file, and the rights they give."
        return refusal(self.name, answer, "Nothing is lost meanwhile.", rights)

    def _nonsense(self, answer: Answer) -> ReceiverError:
        return ReceiverError(
            f"{self.name} answers what is no answer of Elasticsearch or OpenSearch: {answer}.",
            "Is it one? Nothing is lost meanwhile.",
            permanent=True,
        )
