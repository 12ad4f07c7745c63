"""What agents and their host have left: memory, descriptors, disk, certificates."""

from __future__ import annotations

from rule_site import flat, ramp

from rule_scenarios.scenario import LISTENER, SAMPLES, Fires, Silent, blip, one

FIRES = (
    Fires(
        "VolttronDescriptorsExhausting",
        one("volttron_process_worst_fd_ratio", blip(0.9, 0.1), **LISTENER),
        "6m15s",
        "10m15s",
        value="90%",
    ),
    Fires(  # half are open, and it goes on
        "VolttronDescriptorsExhausting",
        one("volttron_process_worst_fd_ratio", blip(0.6, 0.1), **LISTENER)
        | one("volttron_process_open_fds", ramp(500, 3, SAMPLES), **LISTENER),
        "6m15s",
        "10m15s",
        value="60%",
    ),
    Fires(
        "VolttronMemoryLeaking",
        one("volttron_process_proportional_memory_bytes", f"{ramp(60e6, 200e3, 640)} 60e6+0x99", **LISTENER),
        "2h",
        "2h45m",
        value="45.78Mi",
        before="1h",
        samples=740,
    ),
    Fires(  # steeply
        "VolttronMemoryLeaking",
        one(
            "volttron_process_proportional_memory_bytes",
            f"{flat((60e6, 20))} {ramp(60e6, 8e6, 60)} {flat((60e6, 60))}",
            **LISTENER,
        ),
        "17m",
        "25m",
        value="1.073Gi",
        samples=140,
    ),
    Fires(
        "VolttronDiskFilling",
        one("volttron_disk_size_bytes", flat((100e9, 1600)))
        | one("volttron_disk_free_bytes", f"{ramp(20e9, -10e6, 1000)} {flat((60e9, 600))}"),
        "3h",
        "4h30m",
        {},
        value="12.8%",
        before="2h",
        samples=1600,
    ),
    Fires(
        "VolttronDiskFull",
        one("volttron_disk_size_bytes", flat((100e9, SAMPLES))) | one("volttron_disk_free_bytes", blip(2e9, 20e9)),
        "6m15s",
        "10m15s",
        {},
        value="2%",
    ),
    Fires(
        "VolttronCertificateExpiring",
        one("volttron_certificate_expiry_timestamp_seconds", blip(864600, 1e8, 40), certificate="root-ca"),
        "10m",
        "15m15s",
        {"certificate": "root-ca"},
        value="10d 0h 0m 0s",
    ),
    Fires(
        "VolttronCertificateExpired",
        one("volttron_certificate_expiry_timestamp_seconds", flat((300, 40), (1e8, 60)), certificate="root-ca"),
        "6m15s",
        "10m15s",
        {"certificate": "root-ca"},
        before="4m45s",
    ),
    Fires(
        "VolttronClockJumped",
        one("volttron_clock_jumps_total", flat((0, 20), (1, 80))),
        "5m15s",
        "15m30s",
        {},
    ),
)

SILENT = (
    Silent(
        "VolttronDescriptorsExhausting",
        "many are open, but no more than before",
        one("volttron_process_worst_fd_ratio", flat((0.7, SAMPLES)), **LISTENER),
    ),
    Silent(
        "VolttronMemoryLeaking",
        "it peaks and comes down again",
        one("volttron_process_proportional_memory_bytes", " ".join([ramp(60e6, 1e6, 100)] * 7), **LISTENER),
        samples=700,
    ),
    Silent(
        "VolttronMemoryLeaking",
        "it has only just started",
        one("volttron_process_proportional_memory_bytes", f"{ramp(20e6, 20e6, 20)} {flat((420e6, 480))}", **LISTENER)
        | one("volttron_process_start_time_seconds", flat((0, 500)), **LISTENER),
        samples=500,
    ),
    Silent(
        "VolttronDiskFilling",
        "little is free, but it stays so",
        one("volttron_disk_size_bytes", flat((100e9, 600))) | one("volttron_disk_free_bytes", flat((10e9, 600))),
        samples=600,
    ),
    Silent(
        "VolttronDiskFull",
        "a tenth is free",
        one("volttron_disk_size_bytes", flat((100e9, SAMPLES)))
        | one("volttron_disk_free_bytes", flat((10e9, SAMPLES))),
    ),
    Silent(
        "VolttronCertificateExpiring",
        "it is good for a year",
        one("volttron_certificate_expiry_timestamp_seconds", flat((31536000, SAMPLES)), certificate="root-ca"),
    ),
    Silent(
        "VolttronCertificateExpired",
        "it expires in three days",
        one("volttron_certificate_expiry_timestamp_seconds", flat((259200, SAMPLES)), certificate="root-ca"),
        despite=("VolttronCertificateExpiring",),
    ),
    Silent("VolttronClockJumped", "it has not since", one("volttron_clock_jumps_total", flat((4, SAMPLES)))),
)
