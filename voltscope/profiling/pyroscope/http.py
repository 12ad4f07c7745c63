"""Pyroscope's read API over HTTP: the Connect protocol's unary form (connectrpc.com/docs/protocol), protobuf inside.

A stock Grafana's Pyroscope data source asks here.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voltscope.errors import VoltscopeError
from voltscope.profiling.profiles import Profiles

PREFIX = "/querier.v1.QuerierService/"
_PROTOBUF = "application/proto"
_COMPRESSED_FROM = 1024
# HTTP statuses of Connect's error codes, as far as we have such errors.
_CODES = {
    400: "invalid_argument",
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    413: "resource_exhausted",
}


def routes(profiles: Callable[[], Profiles]) -> list[Route]:
    """The routes. `profiles()` gives what is there at the moment of a request."""

    async def ask(request: Request) -> Response:
        # imported by the first question: most sites have no Grafana, and protobuf takes 4 MB
        from voltscope.profiling.pyroscope.querier import METHODS, Querier

        method = request.path_params["method"]
        if method not in METHODS:
            return _refused(501, "unimplemented", f"there is no {method[:100]}; there are: {', '.join(METHODS)}.")
        if request.headers.get("content-type") != _PROTOBUF:
            return _refused(415, "unimplemented", f"requests are {_PROTOBUF}.")
        if request.headers.get("content-encoding", "identity") != "identity":
            return _refused(501, "unimplemented", "requests are not compressed.")
        try:
            body = await request.body()
            answer = await run_in_threadpool(lambda: Querier(profiles()).answer(method, body))
        except VoltscopeError as error:
            return _refused(error.status, _CODES.get(error.status, "internal"), str(error))
        headers = {"Vary": "Accept-Encoding"}
        if len(answer) >= _COMPRESSED_FROM and "gzip" in request.headers.get("accept-encoding", ""):
            answer, headers["Content-Encoding"] = gzip.compress(answer, 1), "gzip"
        return Response(answer, media_type=_PROTOBUF, headers=headers)

    return [Route(PREFIX + "{method}", ask, methods=["POST"])]


def _refused(status: int, code: str, message: str) -> Response:
    return Response(json.dumps({"code": code, "message": message}), status_code=status, media_type="application/json")
