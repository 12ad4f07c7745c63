"""What an agent exports, cut to size: whatever it sent, at most so many families, samples and bytes go on from here.

It runs in the bridge, on the hub, so it stops at its limits instead of looking at everything: 1,000 samples take
2 ms. Names and types are looked at in the engine.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from voltscope.platform.agents import ExportedFamily

MAX_FAMILIES = 200
MAX_SAMPLES = 1000
MAX_BYTES = 100_000
MAX_LABELS = 10
MAX_TEXT = 500
# So far over the limits it costs to receive it at all.
_WASTEFUL = 2

REASONS = ("form", "value", "too-big", "too-many")


@dataclass
class Bounded:
    """Families within the limits; `size` in bytes, roughly; `dropped` counts samples (families without any: one)."""

    families: list[ExportedFamily] = field(default_factory=list)
    size: int = 0
    series: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    wasteful: bool = False


def bound(answer: Any) -> Bounded:
    """Bring an answer to RPC voltscope.metrics within the limits. Never raises, whatever `answer` is."""
    result = Bounded()
    if not isinstance(answer, list):
        result.dropped["form"] += 1
        result.wasteful = True
        return result
    for family in answer[:MAX_FAMILIES]:
        _family(family, result)
    if len(answer) > MAX_FAMILIES:
        result.dropped["too-many"] += len(answer) - MAX_FAMILIES
    offered = result.series + result.dropped["too-many"]
    result.wasteful = result.wasteful or offered > _WASTEFUL * MAX_SAMPLES
    return result


def _family(family: Any, result: Bounded) -> None:
    if not isinstance(family, dict):
        result.dropped["form"] += 1
        return
    name, kind, about = family.get("name"), family.get("type"), family.get("help", "")
    samples = family.get("samples")
    if not (_is_text(name) and _is_text(kind) and isinstance(about, str) and isinstance(samples, list)):
        result.dropped["form"] += 1
        return
    room = MAX_SAMPLES - result.series
    if len(samples) > room:
        result.dropped["too-many"] += len(samples) - room
    kept = []
    for sample in samples[:room]:
        entry = _sample(sample, result)
        if entry is not None:
            kept.append(entry)
            result.series += 1
    if kept:
        about = about[:MAX_TEXT].encode("utf-8", "backslashreplace").decode()
        result.size += len(name) + len(about) + 60
        result.families.append(ExportedFamily(name=name, type=kind, help=about, samples=kept))


def _sample(sample: Any, result: Bounded) -> tuple[dict[str, str], float] | None:
    labels = sample.get("labels", {}) if isinstance(sample, dict) else None
    value = sample.get("value") if isinstance(sample, dict) else None
    if not isinstance(labels, dict) or isinstance(value, str) or not hasattr(value, "__float__"):
        result.dropped["form"] += 1
        return None
    if len(labels) > MAX_LABELS:
        result.dropped["too-big"] += 1
        return None
    size = 30
    for label, content in labels.items():
        if not (isinstance(label, str) and isinstance(content, str)):
            result.dropped["form"] += 1
            return None
        if len(content) > MAX_TEXT or len(label) > MAX_TEXT:
            result.wasteful = result.wasteful or len(content) > MAX_BYTES
            result.dropped["too-big"] += 1
            return None
        if not (_encodes(label) and _encodes(content)):
            result.dropped["form"] += 1
            return None
        size += len(label) + len(content) + 6
    try:
        number = float(value)  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        result.dropped["value"] += 1
        return None
    if result.size + size > MAX_BYTES:
        result.dropped["too-big"] += 1
        return None
    result.size += size
    return labels, number


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and _encodes(value)


def _encodes(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
