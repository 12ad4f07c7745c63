"""What a capture says of each function: how often it was on top, how often anywhere in a stack."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from voltscope.profiling.stacks import HUB, HUB_IDLE, Frame, Stacks, parse_frame, samples_in

# What stands before the module's path in a file name that py-spy could not shorten.
_BEFORE_MODULE = re.compile(r".*/(?:site-packages|dist-packages|python3\.\d+)/")
_FROZEN = re.compile(r"<frozen (.+)>")


@dataclass(frozen=True)
class Function:
    """`name`: with its module, as `json.dumps`. `line`: where it was seen most often.

    `self_samples`: it was on top; `total_samples`: anywhere in the stack, recursion once a sample. Shares are 0 to 1,
    of all samples.
    """

    name: str
    file: str | None
    line: int | None
    self_samples: int
    total_samples: int
    self_share: float
    total_share: float


def functions(stacks: Stacks) -> list[Function]:
    """All there are, those with the most samples of their own first, then those with the most in all."""
    own: Counter[tuple[str, str | None]] = Counter()
    total: Counter[tuple[str, str | None]] = Counter()
    lines: defaultdict[tuple[str, str | None], Counter[int]] = defaultdict(Counter)
    for stack, count in stacks.items():
        # gevent's own loop stands under its mark, as in the drawing
        frames = [Frame(stack[0])] if stack[0] in (HUB, HUB_IDLE) else [parse_frame(text) for text in stack]
        own[frames[-1].name, frames[-1].file] += count
        for name, file in {(frame.name, frame.file) for frame in frames}:
            total[name, file] += count
        for frame in frames:
            if frame.line is not None:
                lines[frame.name, frame.file][frame.line] += count
    whole = samples_in(stacks) or 1
    found = [
        Function(
            qualified(name, file),
            file,
            lines[name, file].most_common(1)[0][0] if lines[name, file] else None,
            own[name, file],
            count,
            round(own[name, file] / whole, 4),
            round(count / whole, 4),
        )
        for (name, file), count in total.items()
    ]
    return sorted(found, key=lambda one: (-one.self_samples, -one.total_samples, one.name, one.file or ""))


def qualified(name: str, file: str | None) -> str:
    """`dumps` of `json/__init__.py` is `json.dumps`; what has no module is its name alone."""
    if file is None:
        return name
    frozen = _FROZEN.fullmatch(file)
    path = frozen[1] if frozen else _BEFORE_MODULE.sub("", file)
    if path.startswith("<"):  # <string>, <stdin>
        return name
    if path.startswith("/"):  # somewhere of its own: only the file's name means anything elsewhere
        path = path.rpartition("/")[2]
    module = re.sub(r"(?:/__init__)?\.(?:pyx?|so)$", "", path).replace("/", ".")
    return f"{module}.{name}" if module else name
