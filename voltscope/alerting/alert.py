"""One alert: what identifies it, what it says, since when and until when it is true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["critical", "warning", "info"]

_OFFSET, _PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF
_SEPARATOR = b"\xff"


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as Alertmanager takes and tells it (its API, version 2: `postableAlert`, `gettableAlert`).

    `labels` identify it: the same ones are the same alert. `annotations` are for people and may change. Times are
    seconds since the epoch; `ends_at` is None where it is not known, as of one that goes on.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    starts_at: float | None = None
    ends_at: float | None = None
    generator_url: str = ""

    @property
    def name(self) -> str:
        """What it is called; empty where nobody named it."""
        return self.labels.get("alertname", "")

    @property
    def fingerprint(self) -> str:
        """Alertmanager's own id of these labels, 16 hexadecimal digits."""
        return fingerprint(self.labels)


def fingerprint(labels: Mapping[str, str]) -> str:
    """The id that Prometheus and Alertmanager make of labels.

    FNV-1a of 64 bits over names and values in the order of names, each followed by the byte 0xff
    (prometheus/common, model/signature.go).
    """
    digest = _OFFSET
    for name in sorted(labels):
        for byte in name.encode() + _SEPARATOR + labels[name].encode() + _SEPARATOR:
            digest = ((digest ^ byte) * _PRIME) & _MASK
    return f"{digest:016x}"
