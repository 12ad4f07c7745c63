"""The servers the console asks on its users' behalf, Prometheus and the profiler, over HTTP with time limits."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from voltscope.errors import UpstreamDown

TIMEOUT = httpx.Timeout(10.0, connect=2.0)


class Upstream:
    """One server: `name` as people call it, its base `url`, and `remedy`, what to do when it does not answer."""

    def __init__(self, name: str, url: str, remedy: str) -> None:
        self.name, self.url, self._remedy = name, url.rstrip("/"), remedy
        # Loading the system's authorities costs 1.5 MB and 20 ms: only where TLS is spoken.
        self._verify = ssl.create_default_context() if url.startswith("https:") else _no_tls()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client for one page's requests. Raises UpstreamDown when the server does not answer in time."""
        # trust_env: a proxy configured for the internet must not see what stays inside the site
        async with httpx.AsyncClient(
            base_url=self.url, timeout=TIMEOUT, verify=self._verify, trust_env=False
        ) as client:
            try:
                yield client
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                reason = str(error) or type(error).__name__
                raise UpstreamDown(f"{self.name} at {self.url} does not answer: {reason}.", self._remedy) from error

    async def json(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Status and JSON body of one request. Raises UpstreamDown, also when the answer is no JSON."""
        async with self.client() as client:
            response = await client.request(method, path, **options)
            return response.status_code, self.decoded(response)

    def decoded(self, response: httpx.Response) -> Any:
        """The JSON body. Raises UpstreamDown when it is none."""
        try:
            return response.json()
        except ValueError as error:
            raise UpstreamDown(
                f"{self.name} at {self.url} answered {response.status_code} without JSON.",
                "Another program may listen there: check the site file.",
            ) from error


def bearer(secret: str | None) -> Mapping[str, str]:
    """The header that carries a secret; none without one."""
    return {"Authorization": f"Bearer {secret}"} if secret else {}


def _no_tls() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
