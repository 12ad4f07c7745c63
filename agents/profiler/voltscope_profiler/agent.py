"""The profiler: a flamegraph of any agent, on demand."""

from typing import Any

from voltscope.platform.bridge import Bridge, run
from voltscope.platform.imports import RPC

# Beyond the recording itself: waiting for a free place in the queue, rendering, storing.
PROFILE_MARGIN_S = 60.0
# Twice the engine's own limit of 20 s: it may try a second way.
THREADS_TIMEOUT_S = 45.0


class Profiler(Bridge):
    """Bridge of the profiler engine."""

    engine = "profiler"

    @RPC.export
    def profile(self, agent: str, seconds: int = 5, rate: int = 100, kind: str = "cpu") -> Any:
        """Record `agent` for `seconds` at `rate` hertz and return the capture when it is done.

        `kind` is `cpu`, `wall` (idle included), `gil` or, of agents with the probe, `greenlet`. The caller's own time
        limit must be longer than `seconds`.
        What cannot be done is answered with `{"error": {"code", "message", "remedy"}}`, as by the other methods.
        """
        caller = str(self.vip.rpc.context.vip_message.peer)
        params = {"agent": agent, "seconds": seconds, "rate": rate, "kind": kind, "requested_by": caller}
        return self.answer("profile", params, timeout=_seconds(seconds) + PROFILE_MARGIN_S)

    @RPC.export
    def captures(self) -> Any:
        """Every capture there is, newest first."""
        return self.answer("captures")

    @RPC.export
    def capture(self, id: str, format: str = "svg") -> Any:
        """One capture's picture: `{"content": text}`.

        `format` is `svg`, `folded`, `json`, `speedscope.json`, or `pb.gz` (a pprof profile, in base64).
        """
        return self.answer("capture", {"id": id, "format": format})

    @RPC.export
    def threads(self, agent: str) -> Any:
        """Where every thread of `agent` is now: name, state and frames, never the values of variables."""
        caller = str(self.vip.rpc.context.vip_message.peer)
        return self.answer("threads", {"agent": agent, "requested_by": caller}, timeout=THREADS_TIMEOUT_S)


def _seconds(value: object) -> float:
    """How long a request may record; what is no number is the engine's to refuse, in words."""
    return float(value) if isinstance(value, (int, float)) else 0.0


def main() -> None:
    """Entry point on both generations."""
    run(Profiler)


if __name__ == "__main__":  # monolithic starts `python -m voltscope_profiler.agent`
    main()
