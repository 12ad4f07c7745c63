"""Folded stacks as a speedscope document (jlfwong/speedscope, file-format-spec.ts: one `sampled` profile)."""

from __future__ import annotations

from typing import Any

from voltscope.profiling.backends.base import Kind
from voltscope.profiling.picture import Picture
from voltscope.profiling.stacks import parse_frame
from voltscope.version import __version__


def speedscope(picture: Picture) -> dict[str, Any]:
    """The document, ready for JSON. A stack weighs its samples by the rate, in seconds; of memory, its bytes."""
    memory = picture.kind is Kind.MEMORY
    frames: dict[str, int] = {}
    samples: list[list[int]] = []
    weights: list[float] = []
    for stack, count in sorted(picture.stacks.items()):
        samples.append([frames.setdefault(frame, len(frames)) for frame in stack])
        weights.append(count if memory else count / picture.rate)
    name = picture.heading.title
    profile = {
        "type": "sampled",
        "name": name,
        "unit": "bytes" if memory else "seconds",
        "startValue": 0,
        "endValue": sum(weights),
        "samples": samples,
        "weights": weights,
    }
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "shared": {"frames": [_frame(frame) for frame in frames]},
        "profiles": [profile],
        "name": name,
        "activeProfileIndex": 0,
        "exporter": f"voltscope@{__version__}",
    }


def _frame(text: str) -> dict[str, Any]:
    frame = parse_frame(text)
    entry: dict[str, Any] = {"name": frame.name}
    if frame.file is not None:
        entry["file"] = frame.file
    if frame.line is not None:
        entry["line"] = frame.line
    return entry
