"""Greenlets over RPC: what an agent of one's own inherits to tell on the bus where each of its greenlets stands."""

from __future__ import annotations

import json
from typing import Any

from voltscope.platform import imports

MOST = 200
# The answer goes over the bus, where every megabyte holds up routers and agents alike.
MAX_BYTES = 900_000


class GreenletDump:
    """Inherit from it beside `Agent`. It exports the RPC method `voltscope.greenlets`; the probe need not be enabled,
    and nothing listens anywhere but the agent itself.
    """

    @imports.RPC.export("voltscope.greenlets")
    def voltscope_greenlets(self, most: int = MOST) -> dict[str, Any]:
        """Where threads and greenlets stand, as the probe's `dump` answers: `at`, `threads`, `greenlets`, `left_out`,
        `moved`. At most `most` greenlets, those that wait the longest, and as many of them as fit the bus.
        """
        # loaded when asked for: an agent that nobody asks carries none of it
        from voltscope.probe.asks import dump

        most = max(1, int(most))
        while True:
            text = dump(most)
            if len(text) <= MAX_BYTES or most == 1:
                found: dict[str, Any] = json.loads(text)
                return found
            most = max(1, most * MAX_BYTES // (2 * len(text)))
