"""Under which names we are asked."""

from __future__ import annotations

import httpx
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from voltscope.web import Access, Server, guarded


def test_a_host_name_is_the_same_in_capitals() -> None:
    routes = [Route("/page", lambda request: PlainTextResponse("page"))]
    server = Server(guarded(routes, Access(None), open_reads=True, names=["Plant7.example"]))
    server.start()
    try:
        asked = ("plant7.example", "PLANT7.EXAMPLE:80", "plant8.example")
        said = [httpx.get(f"{server.url}/page", headers={"Host": name}).status_code for name in asked]
    finally:
        server.stop()
    assert said == [200, 200, 421]
