"""The API of saved searches: everybody reads them, operators save and delete."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response

from voltscope.console.log_request import AsciiJSON, unreadable
from voltscope.errors import QueryError, SavedSearchError
from voltscope.site import Site
from voltscope.web.access import User


class SavedSearchesApi:
    """Handlers of /api/logs/searches. The guard has checked the role before."""

    def __init__(self, site: Site) -> None:
        from voltscope.search.saved import SavedSearches

        self._searches = SavedSearches.of(site)

    async def list(self, request: Request) -> Response:
        """GET: the built-in ones first."""
        searches = await asyncio.to_thread(self._searches.all)
        return AsciiJSON({"searches": [{**asdict(saved), "built_in": not saved.saved_at} for saved in searches]})

    async def save(self, request: Request) -> Response:
        """POST: `name`, `query`, `agent`, `level`, `since`; in place of the one of that name."""
        try:
            asked = json.loads(await request.body())
        except ValueError:
            asked = None
        if not isinstance(asked, dict):
            raise SavedSearchError("a search is a JSON object with name, query, agent, level and since.")
        try:
            if isinstance(asked.get("query"), str) and asked["query"].strip():
                from voltscope.search.query import parse

                parse(asked["query"])
        except QueryError as error:
            return unreadable(error)
        user: User = request.state.user
        saved = await asyncio.to_thread(self._searches.save, asked, user.name)
        return AsciiJSON(asdict(saved), status_code=201)

    async def delete(self, request: Request) -> Response:
        """DELETE: `name`."""
        await asyncio.to_thread(self._searches.delete, request.query_params.get("name", ""))
        return AsciiJSON({"deleted": True})
