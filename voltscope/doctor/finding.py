"""What a check says: how bad, what was found, what to do."""

from __future__ import annotations

import msgspec

OK, WARN, FAIL = "ok", "warn", "fail"


class Finding(msgspec.Struct, frozen=True):
    """One finding. `level` is OK, WARN or FAIL; `remedy` is None where there is nothing to do."""

    check: str
    level: str
    found: str
    remedy: str | None = None
