"""The one way a quickstart step fails: what failed, why, which log tells more, and what to do."""

from __future__ import annotations

import re
from pathlib import Path

# The platform writes the secret keys of its agents into its log, in both of these forms.
_SECRETS = re.compile(r"""(secretkey=)('[^']*'|"[^"]*"|[^\s&'",)]+)""")


class StepFailed(Exception):
    """`why` is one sentence for the reader, `remedy` what to do, `log` the file whose last lines concern it."""

    def __init__(self, why: str, remedy: str = "", log: Path | None = None, output: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy
        self.log = log
        self.output = output

    def last_lines(self, count: int = 15) -> list[str]:
        """The last lines of the output concerned, else of the log, with secret keys taken out."""
        text = self.output or _tail(self.log)
        return [_SECRETS.sub(r"\1[redacted]", line) for line in text.strip().splitlines()[-count:]]


def _tail(path: Path | None, size: int = 16_384) -> str:
    if path is None or not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode(errors="replace")
