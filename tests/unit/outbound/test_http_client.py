"""What a server is asked for, and what is said of one that is not there."""

from __future__ import annotations

import socket

import pytest
from servers.answering import AnsweringServer, Asked, Reply

from voltscope.errors import ReceiverError
from voltscope.outbound.http_client import HttpClient
from voltscope.outbound.keys import ServerKeys


@pytest.mark.parametrize(
    ("base", "path", "target"),
    [
        ("", "/api", "/api"),
        ("/below/", "/api", "/below/api"),
        ("/hook", "", "/hook"),
        ("/hook/", "", "/hook/"),
        ("", "", "/"),
    ],
)
def test_a_path_is_behind_the_urls_own(base: str, path: str, target: str) -> None:
    asked: list[str] = []

    def answer(request: Asked) -> Reply:
        asked.append(request.path)
        return Reply()

    with AnsweringServer(answer) as server:
        client = HttpClient(ServerKeys(urls=(f"{server.url}{base}",)))
        assert client.request("POST", path, b"{}").status == 200
        client.close()
    assert asked == [target]


def test_who_is_not_there_is_named_with_what_it_was_to_have() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    client = HttpClient(ServerKeys(urls=(url,)), what="annotations")
    with pytest.raises(ReceiverError, match=f"the server does not take annotations: {url}: .*refused"):
        client.request("POST", "/api")
