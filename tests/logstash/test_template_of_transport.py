"""The template our own transport makes: of the store's flavour, and of none where the store knows none."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from servers.opensearch.node import OpenSearch

from voltscope.logs.record import Batch, Origin, Record, Source
from voltscope.logs.settings import ElasticsearchReceiver
from voltscope.logs.transports.elasticsearch import ElasticsearchTransport
from voltscope.logs.transports.index_template import marked


def one_record() -> Batch:
    record = Record(1_795_233_600_123, 40, "demo.agent", "demo", "boom", 0, 4, 77)
    return Batch(
        Origin("north", "vm", "edge1"), Source("/l", "0123456789abcdef0123"), 1_795_233_600_500, [record], "01S", 1
    )


def test_opensearch_gets_its_own(opensearch: OpenSearch, tmp_path: Path) -> None:
    transport = ElasticsearchTransport(ElasticsearchReceiver(urls=(opensearch.url,), index="flavoured"), tmp_path)
    try:
        transport.send(one_record())
    finally:
        transport.close()
    (mapping,) = opensearch.ask("GET", "/flavoured-*/_mapping").values()
    fields = mapping["mappings"]["properties"]
    assert fields["error"]["properties"]["stack_trace"]["type"] == "wildcard"
    assert fields["log"]["properties"]["syslog"]["properties"]["structured_data"]["type"] == "flat_object"
    assert fields["service"]["properties"]["name"]["fields"]["words"]["analyzer"] == "voltscope_words"


@pytest.mark.parametrize(
    ("says", "refuses", "asked_for"),
    [
        ({"version": {"distribution": "opensearch"}}, None, ["opensearch"]),
        ({"version": {}}, None, ["elasticsearch"]),
        ({"version": {}}, "No handler for type [wildcard] declared on field [stack_trace]", ["elasticsearch", "plain"]),
        ({"version": {}}, "index template [x] already exists", ["elasticsearch"]),
        ({"error": "no rights"}, None, ["elasticsearch"]),
    ],
)
def test_which_template_is_asked_for(
    tmp_path: Path, says: dict[str, Any], refuses: str | None, asked_for: list[str]
) -> None:
    """A store that answers as told: neither Elasticsearch nor old releases can be run here."""
    made: list[dict[str, Any]] = []

    def answer(body: Any, status: int = 200) -> bytes:
        text = json.dumps(body).encode()
        return b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%s" % (status, len(text), text)

    def serve(server: socket.socket) -> None:
        connection = server.accept()[0]
        with connection, connection.makefile("rb") as asked:
            while request := asked.readline():
                headers = {}
                while (line := asked.readline()) != b"\r\n":
                    name, _, value = line.partition(b":")
                    headers[name.lower()] = value.strip()
                body = asked.read(int(headers.get(b"content-length", b"0")))
                if request.startswith(b"GET / ") or request.startswith(b"GET /?"):
                    connection.sendall(answer(says))
                elif request.startswith(b"PUT /_index_template/"):
                    made.append(json.loads(body))
                    refused = refuses is not None and len(made) == 1
                    connection.sendall(answer({"error": refuses}, 400) if refused else answer({"acknowledged": True}))
                else:
                    connection.sendall(answer({"errors": False, "items": [{"create": {"status": 201}}]}))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        receiver = ElasticsearchReceiver(urls=(url,), index="x", compression=0)
        transport = ElasticsearchTransport(receiver, tmp_path)
        try:
            transport.send(one_record())
        finally:
            transport.close()
        thread.join(60)
    flavours = ("elasticsearch", "opensearch", "plain")
    assert [next(name for name in flavours if marked("x", False, name) == body) for body in made] == asked_for
