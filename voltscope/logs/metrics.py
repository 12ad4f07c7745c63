"""What logship counts, in the form any agent may export by RPC voltscope.metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voltscope.logs.delivery_metrics import receiver_families, verification_families

Family = dict[str, Any]


def families(
    counts: Mapping[tuple[str, str], int],
    policed: Mapping[tuple[str, str], int],
    redactions: Mapping[str, int],
    scrape_errors: Mapping[str, int],
    status: dict[str, Any],
) -> list[Family]:
    """Families as [{"name", "type", "help", "samples": [{"labels", "value"}]}].

    `counts`: by (agent, level); `policed`: by (agent, reason).
    """
    spool, receivers = status["spool"], status["receivers"]
    return [
        _family(
            "volttron_log_records_total",
            "counter",
            "Log records, by the agent that wrote them and their level.",
            [({"agent": agent, "level": level}, value) for (agent, level), value in sorted(dict(counts).items())],
        ),
        _family(
            "volttron_log_policed_total",
            "counter",
            "Log records left out by a limit, a sample or as repeats, by agent and reason; a record tells of them.",
            [({"agent": agent, "reason": reason}, value) for (agent, reason), value in sorted(dict(policed).items())],
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
            "retention deleted before a receiver took them, records the disk damaged.",
            [
                ({"key": "cut"}, status["cut"]),
                ({"key": "file-gone"}, status["missed_generations"]),
                ({"key": "receiver-too-slow"}, sum(receiver["missed"] for receiver in receivers)),
                ({"key": "damaged"}, spool["lost"]),
            ],
        ),
        _single("voltscope_log_spool_bytes", "gauge", "Bytes of the spool and its indexes.", spool["bytes"]),
        _single("voltscope_log_spool_limit_bytes", "gauge", "Bytes the spool may have.", spool["limit_bytes"]),
        _single("voltscope_log_spool_failures_total", "counter", "Times the spool refused.", spool["failures"]),
        _single("voltscope_log_spool_records", "gauge", "Records in the spool.", spool["last"] - spool["first"] + 1),
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
