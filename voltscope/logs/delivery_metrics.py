"""How receivers do, and what verification found, as families of RPC voltscope.metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from voltscope.logs.delivery import WITHIN_S
from voltscope.outbound.circuit import STATES

Family = dict[str, Any]


def receiver_families(receivers: Iterable[Mapping[str, Any]]) -> list[Family]:
    """`receivers`: what `Shipper.status` says of each. Members of a group have a `key` of their own, group/member."""
    whole = list(receivers)
    every = whole + [
        {**member, "name": f"{one['name']}/{member['name']}"} for one in whole for member in one["members"]
    ]
    return [
        _by_key("voltscope_log_receiver_up", "gauge", "Whether a receiver takes records.", every, "up"),
        {
            "name": "voltscope_log_circuit",
            "type": "gauge",
            "help": "Whether a receiver is sent to (closed), left alone after a failure (open), or tried (half-open).",
            "samples": [
                {"labels": {"key": one["name"], "state": state}, "value": float(one["circuit"] == state)}
                for one in every
                for state in STATES
            ],
        },
        _by_key("voltscope_log_sent_total", "counter", "Records a receiver took.", every, "sent"),
        _by_key("voltscope_log_receiver_failures_total", "counter", "Times a receiver refused.", every, "failures"),
        _by_key(
            "voltscope_log_behind_records", "gauge", "Records spooled that a receiver has yet to take.", whole, "behind"
        ),
        _by_key(
            "voltscope_log_oldest_waiting_seconds",
            "gauge",
            "Age of the oldest record that a receiver has yet to take; 0 when it has all.",
            whole,
            "oldest_waiting_s",
        ),
        _by_key(
            "voltscope_log_dead_letters_total",
            "counter",
            "Records a receiver refused for good, kept in a file.",
            whole,
            "dead_letters",
        ),
        _by_key(
            "voltscope_log_delivery_seconds_total",
            "counter",
            "Seconds from reading a record to a receiver's having it, of all its records together.",
            whole,
            "delivery_s",
        ),
        {
            "name": "voltscope_log_delivered_within_total",
            "type": "counter",
            "help": "Records a receiver had within so many seconds after they were read.",
            "samples": [
                {"labels": {"key": one["name"], "within": f"{limit:g}"}, "value": float(count)}
                for one in whole
                for limit, count in zip(WITHIN_S, one["within"], strict=True)
            ],
        },
    ]


def verification_families(verified: Iterable[Mapping[str, Any]]) -> list[Family]:
    """`verified`: what `Reconciler.status` says of each receiver that can be read back."""
    found = list(verified)
    return [
        _by_key(
            "voltscope_log_verify_missing_records",
            "gauge",
            "Records a receiver took that were not found there when it was read back.",
            found,
            "missing",
        ),
        _by_key(
            "voltscope_log_verify_timestamp_seconds",
            "gauge",
            "When a receiver was last read back to the end, in seconds since the epoch.",
            [one for one in found if one["at"] is not None],
            "at",
        ),
    ]


def _by_key(name: str, kind: str, help_text: str, things: Iterable[Mapping[str, Any]], field: str) -> Family:
    samples = [{"labels": {"key": thing["name"]}, "value": float(thing[field])} for thing in things]
    return {"name": name, "type": kind, "help": help_text, "samples": samples}
