"""Functions alike under names of their own."""

from __future__ import annotations

import sys
from types import CodeType


def renamed(code: CodeType, name: str) -> CodeType:
    """The same code under another name, the qualified one included where there is one."""
    if sys.version_info >= (3, 11):
        return code.replace(co_name=name, co_qualname=name)
    return code.replace(co_name=name)
