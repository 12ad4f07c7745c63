"""How long a week of one agent's minutes takes through the read API."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metrics_lib.figures import figure

from voltscope.profiling.archive import Archive
from voltscope.profiling.backends.base import Kind
from voltscope.profiling.profiles import Profiles
from voltscope.profiling.pyroscope.messages import message
from voltscope.profiling.pyroscope.querier import Querier
from voltscope.profiling.windows import Series, Window, WindowRetention, Windows

MINUTES = 10_080
_BEGIN = 1_763_000_000_000
_STACKS, _A_MINUTE, _DEEP = 3000, 120, 30


def measure(folder: Path, quick: bool) -> Iterator[dict[str, Any]]:
    """Merged and drawn, and its time series."""
    count = 1000 if quick else MINUTES
    retention = WindowRetention(days=30, megabytes=1000)
    windows = Windows(folder / "week", retention)
    chance = random.Random(1)
    stacks = [
        tuple(f"function_{chance.randrange(40)} (volttron/historian/module_{depth}.py:{chance.randrange(900)})"
              for depth in range(chance.randint(8, _DEEP)))
        for _ in range(_STACKS)
    ]  # fmt: skip
    windows._db.execute("PRAGMA synchronous = OFF")  # making them is not what is measured
    series = Series("campus", "building", "platform.historian", Kind.CPU, "py-spy")
    for minute in range(count):
        chosen = {stack: chance.randint(1, 20) for stack in chance.sample(stacks, _A_MINUTE)}
        window = Window(series, _BEGIN + minute * 60_000, 60_000, 19.0, sum(chosen.values()), 0)
        windows.keep(window, chosen)
    windows.close()
    size = (folder / "week" / "continuous.sqlite").stat().st_size / 1e6
    times: dict[str, float] = {}
    for method in ("SelectMergeStacktraces", "SelectSeries"):
        windows, archive = Windows(folder / "week", retention), Archive(folder / "week")
        asked = message(f"{method}Request")(
            profile_typeID="process_cpu:cpu:nanoseconds:cpu:nanoseconds",
            label_selector='{service_name="platform.historian"}', start=_BEGIN, end=_BEGIN + count * 60_000,
            **({"step": 300.0} if method == "SelectSeries" else {}),
        ).SerializeToString()  # fmt: skip
        began = time.perf_counter()
        answer = Querier(Profiles(archive, windows)).answer(method, asked)
        times[method] = time.perf_counter() - began
        if len(answer) < 1000:
            raise RuntimeError(f"{method} answers nothing")
        windows.close()
        archive.close()
    of = (
        f"{count} windows of one agent, {_A_MINUTE} of {_STACKS} stacks each ({size:.0f} MB), merged and answered as "
        f"a flame graph; as a time series {times['SelectSeries']:.2f} s"
    )
    merged = times["SelectMergeStacktraces"]
    skipped = f"a week takes longer to make; {count} minutes took {merged:.2f} s" if quick else None
    yield figure("merge_seconds", None if quick else merged, "s", "< 2", of, skipped)
