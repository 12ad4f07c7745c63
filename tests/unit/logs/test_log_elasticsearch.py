"""Bulk requests into a real OpenSearch: once each, whatever is cut or refused; and what no such store would do."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from batches import batch, numbered
from certificates import Authority
from peers import peer, refused_port, silent
from servers.opensearch.node import OpenSearch
from unheard import request_or_answer, without_answers

from voltscope.configuration import load
from voltscope.errors import ConfigError, ReceiverError
from voltscope.logs.record import Batch, document
from voltscope.logs.settings import ElasticsearchReceiver, LogshipConfig
from voltscope.logs.transports.elasticsearch import ElasticsearchTransport

DAY_MS = 86_400_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "dead-letters"


@contextmanager
def sender(folder: Path, *urls: str, timeout_s: float = 30.0, **keys: Any) -> Iterator[ElasticsearchTransport]:
    transport = ElasticsearchTransport(ElasticsearchReceiver(urls=urls, **keys), folder.parent, timeout_s)
    try:
        yield transport
    finally:
        transport.close()


def aged(made: Batch, *ages_ms: int) -> Batch:
    """`made` with each record so much older."""
    for record, age in zip(made.records, ages_ms, strict=True):
        record.at -= age
    return made


def sequences(node: OpenSearch, index: str) -> list[int]:
    return [hit["_source"]["event"]["sequence"] for hit in node.documents(index)]


@pytest.mark.parametrize("compression", [0, 1])
def test_records_are_documents_of_their_own_day(opensearch: OpenSearch, folder: Path, compression: int) -> None:
    made = aged(batch("one", "two\nTraceback (most recent call last):\n  x\nValueError: ß"), 0, DAY_MS)
    with sender(folder, opensearch.url, index=f"days{compression}", compression=compression) as transport:
        assert transport.promise == "once"
        transport.send(made)
    hits = opensearch.documents(f"days{compression}-*")
    assert [hit["_index"].removeprefix(f"days{compression}") for hit in hits] == ["-2026.11.21", "-2026.11.20"]
    assert [hit["_source"] for hit in hits] == [document(made, index) for index in range(2)]
    assert [hit["_id"] for hit in hits] == [hit["_source"]["event"]["id"] for hit in hits]


def test_fields_are_of_the_kinds_searches_need(opensearch: OpenSearch, folder: Path) -> None:
    with sender(folder, opensearch.url, index="kinds") as transport:
        transport.send(batch("boom at the historian", level=40))
    mapping = next(iter(opensearch.ask("GET", "/kinds-*/_mapping").values()))["mappings"]["properties"]
    assert mapping["message"]["type"] == "text"
    assert mapping["event"]["properties"]["sequence"]["type"] == "long"
    assert mapping["labels"]["properties"]["spool"]["type"] == "keyword"
    assert mapping["service"]["properties"]["name"]["type"] == "keyword"


def test_somebody_elses_template_is_left_alone(opensearch: OpenSearch, folder: Path) -> None:
    theirs = {"index_patterns": ["theirs-*"], "template": {"settings": {"index": {"number_of_shards": 2}}}}
    opensearch.ask("PUT", "/_index_template/theirs", theirs)
    with sender(folder, opensearch.url, index="theirs") as transport:
        transport.send(numbered(1, 3))
        # strings are text there, and what is stored is found again all the same
        opensearch.ask("POST", "/theirs-*/_refresh")
        assert transport.stored("01SPOOL", 0, 99) == [1, 2, 3]
        assert "will not be found" in (transport.warning or "")
    (settings,) = opensearch.ask("GET", "/theirs-*/_settings").values()
    assert settings["settings"]["index"]["number_of_shards"] == "2"


def test_sent_again_is_there_once(opensearch: OpenSearch, folder: Path) -> None:
    for _ in range(2):
        with sender(folder, opensearch.url, index="again") as transport:
            transport.send(numbered(1, 50))
            transport.send(numbered(1, 70))
    assert sequences(opensearch, "again-*") == list(range(1, 71))
    assert not folder.exists()


def test_answers_that_are_lost_double_nothing(opensearch: OpenSearch, folder: Path) -> None:
    with (
        without_answers(opensearch, lambda: None, 3) as port,
        sender(folder, f"http://127.0.0.1:{port}", index="unheard") as transport,
    ):
        made = aged(numbered(1, 4), DAY_MS, DAY_MS, 0, 0)
        for _ in range(3):
            with pytest.raises(ReceiverError, match=r"closed the connection without an answer.*Nothing is lost"):
                transport.send(made)
        transport.send(made)
    assert sequences(opensearch, "unheard-*") == [1, 2, 3, 4]


@pytest.fixture(scope="module")
def node(opensearch: OpenSearch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearch]:
    """A node to kill, and one of small requests: the shared one is others' too."""
    node = OpenSearch(tmp_path_factory.mktemp("own"), longest_request="100kb").start()
    try:
        yield node
    finally:
        node.stop()


def test_a_store_killed_between_write_and_answer_has_each_record_once(node: OpenSearch, folder: Path) -> None:
    with (
        without_answers(node, node.kill, 1) as port,
        sender(folder, f"http://127.0.0.1:{port}", index="killed") as transport,
    ):
        for _ in range(2):  # the second time nobody is there
            with pytest.raises(ReceiverError):
                transport.send(numbered(1, 200))
        node.start()
        transport.send(numbered(1, 200))
        transport.send(numbered(201, 10))
    assert sequences(node, "killed-*") == list(range(1, 211))


def test_a_data_stream_promises_less(opensearch: OpenSearch, folder: Path) -> None:
    with sender(folder, opensearch.url, index="stream", data_stream=True) as transport:
        assert transport.promise == "acknowledged"
        transport.send(numbered(1, 5))
        transport.send(numbered(1, 5))
        assert sequences(opensearch, "stream") == [1, 2, 3, 4, 5]
        opensearch.ask("POST", "/stream/_rollover")
        transport.send(numbered(1, 6))
        # the retry after a rollover: both copies are kept, under one event.id
        assert sequences(opensearch, "stream") == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]


def test_what_the_store_refuses_for_good_is_kept_with_the_reason(opensearch: OpenSearch, folder: Path) -> None:
    strict = {
        "index_patterns": ["strict-*"],
        "template": {"mappings": {"properties": {"process": {"properties": {"pid": {"type": "byte"}}}}}},
    }
    opensearch.ask("PUT", "/_index_template/strict", strict)
    made = batch("one", "two", "three")
    made.records[1].pid = 77_000  # no byte
    with sender(folder, opensearch.url, index="strict") as transport:
        transport.send(made)
        assert transport.dead_letters == 1
        assert transport.dead_sequences("01SPOOL") == {2}
        assert transport.dead_sequences("01OTHER") == set()
    assert sequences(opensearch, "strict-*") == [1, 3]
    (path,) = folder.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    (letter,) = map(json.loads, path.read_text().splitlines())
    assert (letter["status"], letter["type"]) == (400, "mapper_parsing_exception")
    assert "process.pid" in letter["reason"]
    assert letter["index"] == "strict-2026.11.21"
    assert letter["document"] == document(made, 1)


def test_dead_letters_are_bounded(opensearch: OpenSearch, folder: Path) -> None:
    nothing = {"index_patterns": ["nothing-*"], "template": {"mappings": {"dynamic": "strict"}}}
    opensearch.ask("PUT", "/_index_template/nothing", nothing)
    with sender(folder, opensearch.url, index="nothing", dead_letter_mb=0.1) as transport:
        for first in range(1, 1001, 50):
            transport.send(numbered(first, 50))
        assert transport.dead_letters == 1000
        kept = sorted(transport.dead_sequences("01SPOOL"))
    assert kept == list(range(kept[0], 1001))
    assert 50_000 < sum(path.stat().st_size for path in folder.iterdir()) <= 0.1 * 2**20


def test_dead_letters_that_cannot_be_kept_are_sent_again(opensearch: OpenSearch, folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    nothing = {"index_patterns": ["unkept-*"], "template": {"mappings": {"dynamic": "strict"}}}
    opensearch.ask("PUT", "/_index_template/unkept", nothing)
    with sender(folder, opensearch.url, index="unkept") as transport:
        for _ in range(2):
            with pytest.raises(ReceiverError, match="cannot be kept"):
                transport.send(numbered(1, 2))
        assert transport.dead_letters == 0


def test_rights_the_operator_must_give_are_no_fault_of_the_record(opensearch: OpenSearch, folder: Path) -> None:
    with sender(folder, opensearch.url, index="blocked") as transport:
        transport.send(numbered(1, 2))
        opensearch.ask("PUT", "/blocked-*/_settings", {"index.blocks.write": True})
        with pytest.raises(ReceiverError, match=r"does not take 3 of 3 records: status 403, cluster_block_exception"):
            transport.send(numbered(3, 3))
        opensearch.ask("PUT", "/blocked-*/_settings", {"index.blocks.write": False})
        transport.send(numbered(3, 3))
    assert sequences(opensearch, "blocked-*") == [1, 2, 3, 4, 5]
    assert not folder.exists()


def answering(*answers: tuple[int, Any]) -> tuple[list[bytes], Callable[[socket.socket], None]]:
    """A store that gives these answers, each with its status, to bulk requests; and the requests' bodies."""
    left, seen = list(answers), []

    def behave(connection: socket.socket) -> None:
        while request := request_or_answer(connection):
            head, _, body = request.partition(b"\r\n\r\n")
            if b"/_bulk" not in head.split(b"\r\n")[0]:
                status, said = 200, b"{}"
            else:
                seen.append(body)
                status, answer = left.pop(0)
                said = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(said), said))

    return seen, behave


def items(*statuses: int) -> tuple[int, dict[str, Any]]:
    made = [{"create": {"status": status, "error": {"type": "t", "reason": "r"}}} for status in statuses]
    return 200, {"errors": True, "items": made}


def numbers(body: bytes) -> list[int]:
    return [json.loads(line)["event"]["sequence"] for line in body.splitlines()[1::2]]


def test_only_items_that_failed_for_now_are_sent_again(folder: Path) -> None:
    seen, behave = answering(items(201, 429, 201, 503, 409), items(201, 429), items(201))
    with peer(behave) as port, sender(folder, f"http://127.0.0.1:{port}", compression=0) as transport:
        with pytest.raises(ReceiverError, match="does not take 2 of 5 records: status 429, t: r") as raised:
            transport.send(numbered(11, 5))
        assert not raised.value.permanent
        with pytest.raises(ReceiverError, match="1 of 5"):
            transport.send(numbered(11, 5))
        transport.send(numbered(11, 5))
    assert [numbers(body) for body in seen] == [[11, 12, 13, 14, 15], [12, 14], [14]]


def test_a_batch_that_is_another_is_sent_whole(folder: Path) -> None:
    seen, behave = answering(items(201, 429), items(201, 201, 201))
    with peer(behave) as port, sender(folder, f"http://127.0.0.1:{port}", compression=0) as transport:
        with pytest.raises(ReceiverError):
            transport.send(numbered(11, 2))
        transport.send(numbered(11, 3))
    assert [numbers(body) for body in seen] == [[11, 12], [11, 12, 13]]


def test_a_request_that_is_too_large_is_halved(folder: Path) -> None:
    seen, behave = answering((413, b""), (413, b""), items(201), items(201), (413, b""), (413, b""), items(201))
    with peer(behave) as port, sender(folder, f"http://127.0.0.1:{port}", compression=0) as transport:
        transport.send(numbered(1, 4))
        assert transport.dead_letters == 1
        assert transport.dead_sequences("01SPOOL") == {3}
    assert [numbers(body) for body in seen] == [[1, 2, 3, 4], [1, 2], [1], [2], [3, 4], [3], [4]]


def test_a_store_with_a_low_limit_gets_all_of_a_large_batch(node: OpenSearch, folder: Path) -> None:
    with sender(folder, node.url, index="low", compression=0) as transport:
        transport.send(batch(*["x" * 1000] * 500, "y" * 200_000))
        assert transport.dead_sequences("01SPOOL") == {501}
    assert sequences(node, "low-*") == list(range(1, 501))


@pytest.mark.parametrize(
    ("status", "said", "match", "permanent"),
    [
        (401, b"who?", r"refuses: HTTP 401 \(who\?\).*password_file", True),
        (429, b"", r"refuses: HTTP 429 \(no body\)", False),
        (503, b"<html>", r"refuses: HTTP 503 \(<html>\)", False),
        (302, b"", "refuses: HTTP 302", True),
        (200, b"<html>", "no answer of Elasticsearch or OpenSearch", True),
        (200, b"{}", "no answer of Elasticsearch or OpenSearch", True),
        (200, b'{"errors":false,"items":[{"create":{"status":201}}]}', "no answer of Elasticsearch", True),
    ],
)
def test_answers_that_are_none(folder: Path, status: int, said: bytes, match: str, permanent: bool) -> None:
    _, behave = answering((status, said))
    with (
        peer(behave) as port,
        sender(folder, f"http://127.0.0.1:{port}") as transport,
        pytest.raises(ReceiverError, match=match) as raised,
    ):
        transport.send(numbered(1, 2))
    assert raised.value.permanent == permanent
    assert not folder.exists()


def _garbage(connection: socket.socket) -> None:
    request_or_answer(connection)  # all of it: who hangs up on what it did not read takes its answer back
    connection.sendall(b"2A\0\0\0\1")


@pytest.mark.parametrize(
    ("behave", "match"),
    [
        (_garbage, r"answers no HTTP \(2A"),
        (silent, "no answer for 0.3 s"),
        (request_or_answer, "closed the connection without an answer"),
    ],
)
def test_a_receiver_that_is_no_store(folder: Path, behave: Callable[[socket.socket], None], match: str) -> None:
    with (
        peer(behave) as port,
        sender(folder, f"http://127.0.0.1:{port}", timeout_s=0.3) as transport,
        pytest.raises(ReceiverError, match=match),
    ):
        transport.send(batch(*["x" * 100_000] * 100))


def test_the_next_url_is_taken_when_one_does_not_answer(opensearch: OpenSearch, folder: Path) -> None:
    dead = f"http://127.0.0.1:{refused_port()}"
    with sender(folder, dead, opensearch.url, index="urls") as transport:
        transport.send(numbered(1, 3))
    assert sequences(opensearch, "urls-*") == [1, 2, 3]
    with (
        sender(folder, dead, f"http://127.0.0.1:{refused_port()}") as transport,
        pytest.raises(ReceiverError, match=r"refused; http://127.0.0.1:\d+: .*refused"),
    ):
        transport.send(numbered(1, 3))


def test_secrets_come_from_files_and_nowhere_else(tmp_path: Path, folder: Path) -> None:
    heads: list[bytes] = []

    def behave(connection: socket.socket) -> None:
        while request := request_or_answer(connection):
            heads.append(request.partition(b"\r\n\r\n")[0])
            connection.sendall(b"HTTP/1.1 401 X\r\nContent-Length: 2\r\n\r\nno")

    password, key = tmp_path / "password", tmp_path / "key"
    for file, secret in ((password, "s3cret-pass\n"), (key, "S2V5\n")):
        file.write_text(secret)
        file.chmod(0o600)
    with peer(behave) as port:
        for keys in ({"username": "u", "password_file": str(password)}, {"api_key_file": str(key)}):
            with sender(folder, f"http://127.0.0.1:{port}", **keys) as transport:
                with pytest.raises(ReceiverError) as raised:
                    transport.send(numbered(1, 1))
                assert "s3cret" not in str(raised.value) and "S2V5" not in str(raised.value)
    assert b"Authorization: Basic dTpzM2NyZXQtcGFzcw==" in heads[0]
    assert b"Authorization: ApiKey S2V5" in heads[-1]
    password.chmod(0o640)
    keys = {"username": "u", "password_file": str(password)}
    with pytest.raises(ConfigError, match=r"password_file.*others may read.*0600"):
        ElasticsearchTransport(ElasticsearchReceiver(urls=("http://h",), **keys), folder)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"urls": ["http://u:p@h"]}, "no credentials in urls"),
        ({"urls": ["ftp://h"]}, "http"),
        ({"urls": []}, "length"),
        ({"urls": ["http://h"], "index": "Big"}, "index"),
        ({"urls": ["http://h"], "username": "u"}, "password_file"),
        ({"urls": ["http://h"], "ca_file": "x"}, "TLS"),
        ({"urls": ["http://h"], "password": "x"}, "unknown key"),
    ],
)
def test_configurations_that_are_refused(given: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        load(LogshipConfig, {"receivers": [{"type": "elasticsearch", **given}]})


def test_tls_with_an_authority_of_the_sites_own(opensearch: OpenSearch, tmp_path: Path, folder: Path) -> None:
    authority = Authority(tmp_path / "ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("store", "DNS:store.example"))

    def behave(plain: socket.socket) -> None:
        with context.wrap_socket(plain, server_side=True) as connection:
            while request := request_or_answer(connection):
                with socket.create_connection(("127.0.0.1", opensearch.port), 30) as onward:
                    onward.sendall(request)
                    connection.sendall(request_or_answer(onward))

    ca = str(authority.certificate)
    with peer(behave) as port:
        url = f"https://127.0.0.1:{port}"
        with sender(folder, url, index="tls", ca_file=ca, server_name="store.example") as transport:
            transport.send(numbered(1, 3))
        with sender(folder, url, index="tls", ca_file=ca) as transport, pytest.raises(ReceiverError, match="verify"):
            transport.send(numbered(4, 3))
    assert sequences(opensearch, "tls-*") == [1, 2, 3]
