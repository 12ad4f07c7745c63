"""What others wrote, made fit for the link: text that is UTF-8, and content of a bounded size."""

from __future__ import annotations

from typing import Any

import msgspec

# Ten times the largest health context a stock agent gives, a historian's.
MAX_CONTENT = 4096
# Of all agents together: facts must fit a frame of the link.
MAX_CONTENTS = 500_000
# A VIP identity has 255 bytes at most; tags, and names in configurations, have no limit of their own.
MAX_NAME = 500


def utf8(value: object) -> str:
    """`value` as text that can be encoded; half a surrogate pair, which JSON can carry, is shown as its escape."""
    text = str(value)
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def name(value: object) -> str:
    """What somebody called something, as `utf8` and at most MAX_NAME characters."""
    return utf8(str(value)[:MAX_NAME])


def bounded(content: Any) -> Any:
    """`content` as it is when it fits in MAX_CONTENT bytes of JSON, a long text's beginning, otherwise None."""
    if isinstance(content, str):
        return utf8(content[:MAX_CONTENT])
    try:
        return content if len(msgspec.json.encode(content)) <= MAX_CONTENT else None
    except (TypeError, ValueError, RecursionError):
        return None
