"""Where the console's pages find log records: opened once, asked in threads, the quick never behind the slow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from voltscope.site import Site

if TYPE_CHECKING:
    from voltscope.search.searcher import Searcher

# Pages and live tails; counts, exports and patterns wait for each other instead.
QUICK_THREADS, SLOW_THREADS = 2, 2
_Answer = TypeVar("_Answer")


class LogReader:
    """The site's searcher. It reads files or waits for a server, which would keep everybody else waiting."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._quick = ThreadPoolExecutor(QUICK_THREADS, thread_name_prefix="logs")
        self._slow = ThreadPoolExecutor(SLOW_THREADS, thread_name_prefix="logs-slow")
        self._opening = asyncio.Lock()
        self._searcher: Searcher | None = None

    async def ask(self, question: Callable[[Searcher], _Answer]) -> _Answer:
        """Run `question` on the searcher. Raises StoreError in plain words while there is none."""
        return await self._asked(self._quick, question)

    async def ask_slowly(self, question: Callable[[Searcher], _Answer]) -> _Answer:
        """The same for what takes seconds: two at a time, and nobody's first page waits for it."""
        return await self._asked(self._slow, question)

    def close(self) -> None:
        """Let go of the searcher; questions under way are answered first."""
        for threads in (self._quick, self._slow):
            threads.shutdown(wait=True, cancel_futures=True)
        if self._searcher is not None:
            self._searcher.close()

    async def _asked(self, threads: ThreadPoolExecutor, question: Callable[[Searcher], _Answer]) -> _Answer:
        loop = asyncio.get_running_loop()
        async with self._opening:
            if self._searcher is None:
                from voltscope.search.open import open_searcher  # needed only once somebody looks at logs

                self._searcher = await loop.run_in_executor(self._quick, open_searcher, self._site)
        return await loop.run_in_executor(threads, question, self._searcher)
