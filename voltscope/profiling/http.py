"""The profiler's HTTP API: captures and targets as JSON, flamegraphs and stacks as files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from voltscope.errors import BadRequest, VoltscopeError
from voltscope.profiling.archive import not_found
from voltscope.profiling.audit import audit
from voltscope.profiling.backends.registry import told
from voltscope.profiling.formats import FORMATS, render
from voltscope.profiling.gallery import Gallery
from voltscope.profiling.landing import SHOWN, page
from voltscope.profiling.recorder import Recorder
from voltscope.ulid import is_ulid
from voltscope.web.landing import CSP

# A flamegraph shows names that somebody else chose: even if one slipped past escaping, its script would run in an
# origin of its own, without cookies, and could reach nothing.
_SVG_POLICY = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"


def routes(
    recorder: Callable[[], Recorder],
    gallery: Callable[[], Gallery],
    alert: Callable[[dict[str, Any]], dict[str, Any]],
    threads: Callable[[dict[str, Any], str, str], dict[str, Any]],
    continuous: Callable[[], list[dict[str, Any]]],
) -> list[Route]:
    """The routes. `recorder()` and `gallery()` give the one in charge at the moment of a request; `alert` takes a
    notification of Alertmanager, `threads` dumps an agent's threads for somebody, `continuous` is what is sampled all
    the time.
    """

    def targets(request: Request) -> Response:
        return JSONResponse({"targets": recorder().targets()})

    def backends(request: Request) -> Response:
        return JSONResponse({"backends": told(recorder().backends)})

    def captures(request: Request) -> Response:
        return JSONResponse({"captures": [capture.as_dict() for capture in recorder().captures()]})

    def capture(request: Request) -> Response:
        return JSONResponse(recorder().capture(_id(request.path_params["id"])).as_dict())

    async def begin(request: Request) -> Response:
        params = json_object(await request.body())
        request.state.audited = True
        job = await run_in_threadpool(recorder().submit, params, request.state.user.name, via="http")
        return JSONResponse(
            job.capture.as_dict(), status_code=202, headers={"Location": f"/api/captures/{job.capture.id}"}
        )

    def cancel(request: Request) -> Response:
        capture_id, who = _id(request.path_params["id"]), request.state.user.name
        request.state.audited = True
        try:
            agent = {"agent": recorder().capture(capture_id).agent}
            recorder().cancel(capture_id)
        except VoltscopeError as error:
            audit("cancel", who, "http", {}, error, capture_id)
            raise
        audit("cancel", who, "http", agent, found=capture_id)
        return Response(status_code=204)

    async def dump(request: Request) -> Response:
        params = json_object(await request.body())
        request.state.audited = True
        return JSONResponse(await run_in_threadpool(threads, params, request.state.user.name, "http"))

    def sampled(request: Request) -> Response:
        return JSONResponse({"continuous": continuous()})

    def coverage(request: Request) -> Response:
        return JSONResponse(gallery().coverage(request.query_params))

    def file(request: Request) -> Response:
        name, _, form = request.path_params["file"].partition(".")
        capture_id = _id(name)
        if form not in FORMATS:
            raise not_found(capture_id)
        return _picture(request, render(gallery().capture(capture_id), form), FORMATS[form], form)

    def merged(request: Request) -> Response:
        form = request.path_params["form"]
        return _picture(request, render(gallery().span(request.query_params), form), FORMATS[form], form)

    def difference(request: Request) -> Response:
        form = request.path_params["form"]
        return _picture(request, *gallery().difference(request.query_params, form), form)

    async def alerted(request: Request) -> Response:
        notification = json_object(await request.body())
        answer = await run_in_threadpool(alert, notification)
        audit("alerts", request.state.user.name, "webhook", {})
        return JSONResponse(answer)

    def landing(request: Request) -> Response:
        newest = recorder().captures()[:SHOWN]
        return HTMLResponse(page(newest), headers={"Content-Security-Policy": CSP})

    async def healthy(request: Request) -> Response:
        return Response("voltscope profiler is healthy.\n", media_type="text/plain")

    return [
        Route("/", landing),
        Route("/-/healthy", healthy),
        Route("/api/targets", targets),
        Route("/api/backends", backends),
        Route("/api/captures", captures),
        Route("/api/captures", begin, methods=["POST"]),
        Route("/api/captures/{id}", capture),
        Route("/api/captures/{id}", cancel, methods=["DELETE"]),
        Route("/api/threads", dump, methods=["POST"]),
        Route("/api/continuous", sampled),
        Route("/api/coverage", coverage),
        Route("/api/alertmanager", alerted, methods=["POST"]),
        Route("/captures/{file}", file),
        Route("/merged.{form}", merged),
        Route("/difference.{form}", difference),
    ]


def _picture(request: Request, content: bytes, media_type: str, form: str) -> Response:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    # no-cache: kept by the browser, and asked about every time; a newer voltscope may draw differently
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if form == "svg":
        headers["Content-Security-Policy"] = _SVG_POLICY
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


def _id(text: str) -> str:
    if not is_ulid(text):
        raise not_found(text)
    return text


def json_object(body: bytes) -> dict[str, Any]:
    """A request's body, a JSON object. Raises BadRequest."""
    try:
        params = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the request body is not JSON: {error}.") from error
    if not isinstance(params, dict):
        raise BadRequest("the request body is not a JSON object.", 'Send {"agent": "platform.historian"}.')
    return params
