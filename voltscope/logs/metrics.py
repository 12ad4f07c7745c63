"""What logship counts, in the form any agent may export by RPC voltscope.metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voltscope.logs.delivery_metrics import receiver_families, verification_families

Family = dict[str, Any]


def families(
    counts: Mapping[tuple[str, str], int],
    redactions: Mapping[str, int],
    scrape_errors: Mapping[str, int],
    status: dict[str, Any],
) -> list[Family]:
    """Families as [{"name", "type", "help", "samples": [{"labels", "value"}]}]; `counts` by (agent, level)."""
    store, receivers = status["store"], status["receivers"]
    return [
        _family(
            "volttron_log_records_total",
            "counter",
            "Log records, by the agent that wrote them and their level.",
            [({"agent": agent, "level": level}, value) for (agent, level), value in sorted(dict(counts).items())],
        ),
        _family(
            "volttron_device_scrape_errors_total",
            "counter",
            "Records of the driver that tell of a failed scrape of a device, or of one of its points.",
            [({"device": device}, value) for device, value in sorted(dict(scrape_errors).items())],
        ),
        _single("voltscope_log_read_bytes_total", "counter", "Bytes read of the platform's log.", status["bytes"]),
        _family(
            "volttron_log_secrets_total",
            "counter",
            "Secrets found in the platform's log, taken out of the records, by rule.",
            [({"rule": rule}, value) for rule, value in sorted(dict(redactions).items())],
        ),
        _single(
            "voltscope_log_lag_bytes",
            "gauge",
            "Bytes of the platform's log not read yet.",
            sum(log["lag_bytes"] for log in status["logs"]),
        ),
        _family(
            "voltscope_log_dropped_total",
            "counter",
            "What was lost: records cut at the size limit, log files gone before they were read to the end, records "
            "retention deleted before a receiver took them.",
            [
                ({"key": "cut"}, status["cut"]),
                ({"key": "file-gone"}, status["missed_generations"]),
                ({"key": "receiver-too-slow"}, sum(receiver["missed"] for receiver in receivers)),
            ],
        ),
        _single("voltscope_log_store_bytes", "gauge", "Bytes the log store occupies.", store["bytes"]),
        _single("voltscope_log_store_failures_total", "counter", "Times the log store refused.", store["failures"]),
        *receiver_families(receivers),
        *verification_families(status["verified"]),
    ]


def _family(name: str, kind: str, help_text: str, samples: list[tuple[dict[str, str], float]]) -> Family:
    return {
        "name": name,
        "type": kind,
        "help": help_text,
        "samples": [{"labels": labels, "value": float(value)} for labels, value in samples],
    }


def _single(name: str, kind: str, help_text: str, value: float) -> Family:
    return _family(name, kind, help_text, [({}, value)])
