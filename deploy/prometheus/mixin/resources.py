"""What runs out: descriptors, memory, disk, certificates, and the trust in the clock."""

from __future__ import annotations

from .rule import AGENT, SITE, Alert, Group, Record, number
from .thresholds import Thresholds

MEMORY = "agent:volttron_process_memory_bytes:max"
DISK = "instance:volttron_disk_free:ratio"


def group(t: Thresholds) -> Group:
    """Trends are told before anything fails."""
    return Group(
        "resources",
        "What runs out: descriptors, memory, disk, certificates; and the clock.",
        (
            Record(
                MEMORY,
                "volttron_process_proportional_memory_bytes or volttron_process_resident_memory_bytes",
                "Memory of an agent: its fair share where the kernel tells, else what is resident.",
            ),
            Record(
                "instance:volttron_process_memory_bytes:sum",
                f"sum without (agent) ({MEMORY})",
                "Memory of a platform with all its agents.",
            ),
            Record(DISK, "volttron_disk_free_bytes / volttron_disk_size_bytes", "Free, of the disk of VOLTTRON_HOME."),
            *_processes(t),
            *_machine(t),
        ),
    )


def _processes(t: Thresholds) -> tuple[Alert, ...]:
    # minima against maxima: a peak is no leak; and warming up is none, so the process must be older than the window
    age = f"and on ({AGENT}) time() - volttron_process_start_time_seconds >"
    slow = (
        f"deriv({MEMORY}[1h]) * 3600 > {number(t.leak_bytes_per_hour)}\n"
        f"  and min_over_time({MEMORY}[10m])"
        f" > {number(t.leak_growth_ratio)} * max_over_time({MEMORY}[10m] offset 1h)\n  {age} 7200"
    )
    fast = (
        f"(min_over_time({MEMORY}[2m]) - max_over_time({MEMORY}[2m] offset 8m)"
        f" > {number(t.leak_bytes_fast)} {age} 900) * 6"
    )
    return (
        Alert(
            "VolttronDescriptorsExhausting",
            "warning",
            f"volttron_process_worst_fd_ratio > {number(t.descriptor_ratio)}\n"
            f"  or (volttron_process_worst_fd_ratio > 0.5\n    and on ({AGENT})"
            f" predict_linear(volttron_process_open_fds[15m], 3600) > volttron_process_max_fds)",
            "<agent> on <instance> runs out of file descriptors",
            "<agent> on <instance> has <$value | humanizePercentage> of its file descriptors open.",
            "An agent has nearly all of its file descriptors open, or will within an hour.",
            "1m",
        ),
        Alert(
            "VolttronMemoryLeaking",
            "warning",
            f"{slow}\n  or {fast}",
            "The memory of <agent> on <instance> grows and grows",
            "<agent> on <instance> grows by <$value | humanize1024>B an hour without ever shrinking.",
            "An agent's memory grows steadily over an hour, or steeply over ten minutes.",
            "2m",
        ),
    )


def _machine(t: Thresholds) -> tuple[Alert, ...]:
    left = "volttron_certificate_expiry_timestamp_seconds - time()"
    return (
        Alert(
            "VolttronDiskFilling",
            "warning",
            f"{DISK} < {number(t.disk_low_ratio)}\n"
            f"  and on ({SITE}) predict_linear(volttron_disk_free_bytes[6h], 86400) < 0",
            "The disk of <instance> will be full within a day",
            "<$value | humanizePercentage> of the disk of VOLTTRON_HOME on <instance> are free, and it will "
            "be full within a day if it goes on like the last 6 hours.",
            "Little is free on VOLTTRON_HOME's disk, and it will be full within a day.",
            "30m",
        ),
        Alert(
            "VolttronDiskFull",
            "critical",
            f"{DISK} < {number(t.disk_full_ratio)}",
            "The disk of <instance> is full",
            "<$value | humanizePercentage> of the disk of VOLTTRON_HOME on <instance> are free: historians, "
            "config store and log cannot write any more, or soon cannot.",
            "Next to nothing is free on VOLTTRON_HOME's disk.",
            "1m",
        ),
        Alert(
            "VolttronCertificateExpiring",
            "warning",
            f"{left} < {number(t.certificate_seconds)} and {left} > 0",
            "<certificate> of <instance> expires soon",
            "The certificate <certificate> of <instance> expires in <$value | humanizeDuration>.",
            "A certificate of the platform expires within a month.",
            "5m",
        ),
        Alert(
            "VolttronCertificateExpired",
            "critical",
            f"{left} <= 0",
            "<certificate> of <instance> has expired",
            "The certificate <certificate> of <instance> has expired: nobody should accept it.",
            "A certificate of the platform has expired.",
            "1m",
        ),
        Alert(
            "VolttronClockJumped",
            "warning",
            "increase(volttron_clock_jumps_total[10m]) > 0",
            "The clock of <instance> jumped",
            "The clock of <instance> was set within the last 10 minutes: records before and after carry times "
            "that do not fit together, and schedules may run twice or not at all.",
            "The machine's clock was set: times in the historian do not fit together.",
        ),
    )
