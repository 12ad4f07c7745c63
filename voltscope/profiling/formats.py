"""The forms a finished capture can be had in, all made from its folded stacks."""

from __future__ import annotations

import json

from voltscope.errors import CaptureNotFound
from voltscope.profiling.recorder import Recorder
from voltscope.profiling.stacks import fold

# Name, which is also the end of the file's name, to media type.
FORMATS = {"svg": "image/svg+xml", "folded": "text/plain; charset=utf-8", "speedscope.json": "application/json"}


def render(recorder: Recorder, capture_id: str, form: str) -> str:
    """A capture in one of FORMATS. Raises CaptureNotFound for an unknown id or form."""
    if form not in FORMATS:
        raise CaptureNotFound(f"there is no format {form!r}.", f"There are: {', '.join(FORMATS)}.")
    capture, stacks = recorder.stacks(capture_id)
    if form == "folded":
        return fold(stacks)
    if form == "svg":
        from voltscope.profiling.flamegraph import flamegraph  # drawn seldom: kept out of memory until then

        return flamegraph(capture, stacks)
    from voltscope.profiling.speedscope import speedscope

    return json.dumps(speedscope(capture, stacks))
