"""A way to a store on which answers are lost: what was written is written, and nobody was told."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from peers import peer
from servers.opensearch.node import OpenSearch


@contextmanager
def without_answers(node: OpenSearch, cut: Callable[[], None], cuts: int) -> Iterator[int]:
    """The port of a way to `node`. Of `cuts` bulk requests the answer is not passed on; `cut` is done instead."""
    left = [cuts]

    def behave(connection: socket.socket) -> None:
        while request := request_or_answer(connection):
            with socket.create_connection(("127.0.0.1", node.port), 30) as onward:
                onward.sendall(request)
                answer = request_or_answer(onward)
            if b"/_bulk" in request.split(b"\r\n")[0] and left[0]:
                left[0] -= 1
                cut()
                return
            connection.sendall(answer)

    with peer(behave) as port:
        yield port


def request_or_answer(connection: socket.socket) -> bytes:
    """One request or answer, whole; empty at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(1 << 16)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")),
        0,
    )
    while len(body) < length:
        body += connection.recv(1 << 16)
    return head + b"\r\n\r\n" + body
