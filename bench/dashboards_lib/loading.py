"""Six hours of all platforms, imported by promtool in blocks, and what our recording rules would have made of them."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dashboards_lib.platforms import STEP_S, Platform, open_metrics
from dashboards_lib.server import Server

_AT_ONCE = 2
_NICE = 19
_BLOCK_MINUTES = 120
_RECORDED = re.compile(r"\w+:\w+:\w+")

Rule = tuple[str, str]  # name and expression


def import_platforms(promtool: str, platforms: list[Platform], first: int, last: int, folder: Path) -> None:
    """Blocks of the minutes from `first` to `last` in `folder`; texts are gone as soon as they are read."""

    def one(platform: Platform) -> None:
        span = [str(number) for number in (platform.number, platform.origin, first, last)]
        _run([sys.executable, "-m", __spec__.name, *span, str(folder / platform.site)])
        for text in sorted(folder.glob(f"{platform.site}.*")):
            _run([promtool, "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(text), str(folder)])
            text.unlink()

    folder.mkdir()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            list(pool.map(one, platforms))
        finally:
            pool.shutdown(cancel_futures=True)  # who gives up does not wait for all others


def in_rounds(rules: Iterable[Rule]) -> list[list[Rule]]:
    """Those that build on others come in a later round than these; one that builds on its own past has none."""
    left, rounds = list(rules), []
    while left:
        waiting = {name for name, _ in left}
        ready = [(name, expr) for name, expr in left if not waiting & set(_RECORDED.findall(expr)) - {name}]
        if not ready:
            raise ValueError(f"rules that build on one another: {waiting}")
        rounds.append(ready)
        left = [one for one in left if one not in ready]
    return rounds


def record(promtool: str, server: Server, rules: Iterable[Rule], first: int, last: int, folder: Path) -> None:
    """What these recording rules give over the same time, evaluated by promtool on the server; blocks in `folder`."""
    group = {"name": "all", "rules": [{"record": name, "expr": expr} for name, expr in rules]}
    folder.mkdir()
    path = folder / "rules.yml"
    path.write_text(json.dumps({"groups": [group]}))
    span = [f"--start={first * STEP_S}", f"--end={last * STEP_S}", f"--eval-interval={STEP_S}s"]
    _run([promtool, "tsdb", "create-blocks-from", "rules", f"--url={server.url}", *span, f"--output-dir={folder}",
          str(path)])  # fmt: skip


def place(blocks: Path, data: Path) -> None:
    """Blocks made elsewhere into the data of a Prometheus that does not run."""
    for block in list(blocks.glob("*/meta.json")):
        block.parent.rename(data / block.parent.name)


def _run(command: list[str]) -> None:
    # what it imports is found as here
    there = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=_give_way, env=there)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stdout}{done.stderr}"[:4000])


def _give_way() -> None:
    os.nice(_NICE)


def _write(platform: Platform, first: int, last: int, path: str) -> None:
    """A file a block: promtool reads all of a file for each block there is in it, and once before."""
    for _, minutes in itertools.groupby(range(first, last + 1), lambda minute: minute // _BLOCK_MINUTES):
        span = list(minutes)
        Path(f"{path}.{span[0]}").write_text(open_metrics(platform, span, first))


if __name__ == "__main__":
    number, origin, first, last, path = sys.argv[1:]
    _write(Platform(int(number), float(origin)), int(first), int(last), path)
