"""Sites that are no longer among the targets."""

from __future__ import annotations

from rule_site import flat, gone, healthy, series

from rule_scenarios.scenario import BEFORE, SAMPLES, Fires, Silent


def vanished(*, last_up: float = 1, back: bool) -> dict[str, str]:
    """The whole site leaves the targets at 5m; before, `up` was `last_up` for 90 s."""
    rest = SAMPLES - BEFORE
    found = {}
    for name, values in healthy(SAMPLES).items():
        kept = values.rsplit("x", 1)[0]
        if "+0x" in values and len(values.split()) == 1:
            again = [f"{kept}x{rest - 41}"] if back else []
            found[name] = " ".join([f"{kept}x{BEFORE - 1}", gone(40 if back else rest), *again])
        else:
            found[name] = f"{kept}x{BEFORE - 1} {gone(rest)}"
    ups = flat((1, BEFORE - 6), (last_up, 6))
    found[series("up")] = f"{ups} {gone(40)} {flat((1, rest - 40))}" if back else f"{ups} {gone(rest)}"
    return found


def other_site(samples: int) -> dict[str, str]:
    """A second site of the job that stays."""
    return {'up{job="voltscope", site="south", instance="plant2"}': flat((1, samples))}


FIRES = (
    Fires("VolttronExporterAbsent", vanished(back=True), "10m30s", "15m30s", {"job": "voltscope"}, site=False),
    Fires(
        "VolttronSiteVanished",
        vanished(back=True) | other_site(SAMPLES),
        "10m30s",
        "15m30s",
        {},
    ),
)

SILENT = (
    Silent(
        "VolttronExporterAbsent",
        "the last site was stopped before it left the targets",
        vanished(last_up=0, back=False),
        despite=("VolttronExporterDown",),
    ),
    Silent(
        "VolttronSiteVanished",
        "the site was stopped before it left the targets",
        vanished(last_up=0, back=False) | other_site(SAMPLES),
        despite=("VolttronExporterDown",),
    ),
)
