"""A server that answers every request as it is told to, and remembers what it was sent."""

from __future__ import annotations

from servers.answering import AnsweringServer, Asked, Reply


class HttpPeer(AnsweringServer):
    """`status`: what it answers with."""

    def __init__(self, status: int = 200) -> None:
        super().__init__(self._answer)
        self.status = status
        self.requests: list[Asked] = []

    def _answer(self, asked: Asked) -> Reply:
        self.requests.append(asked)
        return Reply(self.status)
