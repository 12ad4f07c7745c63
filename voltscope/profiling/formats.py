"""The forms a picture can be had in, all made from its folded stacks."""

from __future__ import annotations

import json

from voltscope.errors import CaptureNotFound
from voltscope.profiling.picture import Picture
from voltscope.profiling.stacks import fold, samples_in

# Name, which is also the end of the file's name, to media type.
FORMATS = {
    "svg": "image/svg+xml",
    "folded": "text/plain; charset=utf-8",
    "speedscope.json": "application/json",
    "json": "application/json",
    "pb.gz": "application/octet-stream",
}
_MOST_FUNCTIONS = 1000


def check_format(form: str) -> None:
    """Raises CaptureNotFound for what is none of FORMATS."""
    if form not in FORMATS:
        raise CaptureNotFound(f"there is no format {form[:40]!r}.", f"There are: {', '.join(FORMATS)}.")


def render(picture: Picture, form: str) -> bytes:
    """A picture in one of FORMATS. Raises CaptureNotFound for an unknown form.

    What draws and encodes is imported when it is needed: most of the time nobody looks.
    """
    check_format(form)
    if form == "pb.gz":
        from voltscope.profiling.pprof import pprof

        return pprof(picture)
    return _text(picture, form).encode(errors="replace")


def _text(picture: Picture, form: str) -> str:
    if form == "folded":
        return fold(picture.stacks)
    if form == "svg":
        from voltscope.profiling.flamegraph import flamegraph

        return flamegraph(picture.heading, picture.stacks)
    if form == "json":
        return json.dumps(_document(picture))
    from voltscope.profiling.speedscope import speedscope

    return json.dumps(speedscope(picture))


def _document(picture: Picture) -> dict[str, object]:
    from voltscope.profiling.functions import functions

    heading = picture.heading
    ranked = [
        {
            "function": one.name, "file": one.file, "line": one.line, "self": one.self_samples,
            "total": one.total_samples, "self_share": one.self_share, "total_share": one.total_share,
        }
        for one in functions(picture.stacks)
    ]  # fmt: skip
    return {
        "subject": heading.subject,
        "words": heading.words,
        "kind": picture.kind.value,
        "unit": heading.unit,
        "rate_hz": picture.rate,
        "seconds": picture.seconds,
        "total": samples_in(picture.stacks),
        "functions": ranked[:_MOST_FUNCTIONS],
        "functions_left_out": max(0, len(ranked) - _MOST_FUNCTIONS),
        "stacks": [[list(stack), count] for stack, count in sorted(picture.stacks.items())],
    }
