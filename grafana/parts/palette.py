"""Colours that stay apart with every kind of colour blindness (Okabe and Ito, 2008), and what each stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.models import dashboard as model

GOOD = "#009E73"  # bluish green
NOTICE = "#56B4E9"  # sky blue
PLAIN = "#0072B2"  # blue
WARNING = "#E69F00"  # orange
CRITICAL = "#D55E00"  # vermilion
STRANGE = "#CC79A7"  # reddish purple
NEUTRAL = "#999999"

# Told by number in timelines; a colour never tells alone, the text stands beside it.
STATES = {
    "running": (1, GOOD),
    "stopped": (2, NEUTRAL),
    "never-started": (3, NOTICE),
    "zombie": (4, STRANGE),
    "hung": (5, WARNING),
    "crashed": (6, CRITICAL),
}
HEALTH = {
    "good": (1, GOOD),
    "starting": (2, NOTICE),
    "unknown": (3, NEUTRAL),
    "bad": (4, CRITICAL),
}
ENGINE = {"running": (1, GOOD), "waiting": (2, WARNING), "refused": (3, CRITICAL)}
CIRCUIT = {"closed": (1, GOOD), "half-open": (2, WARNING), "open": (3, CRITICAL)}
SEVERITY = {"critical": CRITICAL, "warning": WARNING, "info": NOTICE}
LEVELS = {"critical": STRANGE, "error": CRITICAL, "warning": WARNING, "info": PLAIN, "debug": NEUTRAL}

Step = tuple[float, str]
# No figure is lower, one of bytes that shrink included.
LOWEST = -1e15


def numbered(names: Mapping[str, tuple[int, str]]) -> list[model.ValueMapping]:
    """A number is shown as its name, in its colour."""
    return [
        model.ValueMap(
            options={
                str(number): model.ValueMappingResult(text=name, color=colour, index=index)
                for index, (name, (number, colour)) in enumerate(names.items())
            }
        )
    ]


def named(names: Mapping[str, str]) -> list[model.ValueMapping]:
    """A text is shown in its colour."""
    return [
        model.ValueMap(
            options={
                name: model.ValueMappingResult(text=name, color=colour, index=index)
                for index, (name, colour) in enumerate(names.items())
            }
        )
    ]


def yes_no(good: str = "yes", bad: str = "no", *, good_is: int = 1, colour: str = CRITICAL) -> list[model.ValueMapping]:
    """1 and 0 in words."""
    return numbered({good: (good_is, GOOD), bad: (1 - good_is, colour)})


def steps(first: str, *more: Step) -> list[model.Threshold]:
    """Colours by value: `first` from below on, then each from its value on."""
    return [model.Threshold(None, first), *(model.Threshold(value, colour) for value, colour in more)]


def worse(warning: float | None = None, critical: float | None = None) -> list[model.Threshold]:
    """The more the worse."""
    found: Sequence[tuple[float | None, str]] = ((warning, WARNING), (critical, CRITICAL))
    return steps(GOOD, *((value, colour) for value, colour in found if value is not None))


def better(warning: float, critical: float) -> list[model.Threshold]:
    """The less the worse: good from `warning` on, and at its worst below `critical`."""
    return steps(CRITICAL, (critical, WARNING), (warning, GOOD))


def fixed(colour: str = PLAIN) -> list[model.Threshold]:
    """One colour: the number is neither good nor bad."""
    return steps(colour)


def neutral_without_data(colours: Sequence[model.Threshold]) -> list[model.Threshold]:
    """The same, but neither good nor bad where there is no number, whose words Grafana gives the first colour."""
    first, *more = colours
    if first.color == NEUTRAL:
        return list(colours)
    return [model.Threshold(None, NEUTRAL), model.Threshold(LOWEST, first.color), *more]
