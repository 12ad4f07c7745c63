#!/usr/bin/env python3
"""Writes the rule files from the mixin: `generate.py` anew in place, or a site's own with `--set` and `--output`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from mixin.files import reference, rule_files  # noqa: E402 (found by the path set above)
from mixin.thresholds import Thresholds, chosen  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """0, or 2 when a threshold is not one."""
    parser = argparse.ArgumentParser(description="Writes voltscope's Prometheus rules.")
    parser.add_argument(
        "--set", action="append", default=[], metavar="THRESHOLD=VALUE", help="another threshold; may be given again"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where to; without it rules/ and docs/alerts.md, with the defaults"
    )
    given = parser.parse_args(arguments)
    if given.set and given.output is None:
        parser.error("--set needs --output: the rules kept here have the defaults")
    try:
        thresholds = chosen(dict(_pair(one) for one in given.set))
    except ValueError as error:
        parser.error(str(error))
    write(thresholds, given.output or HERE / "rules")
    if given.output is None:
        (HERE.parents[1] / "docs" / "alerts.md").write_text(reference(thresholds), encoding="utf-8")
    return 0


def write(thresholds: Thresholds, folder: Path) -> None:
    """Writes the rule files into `folder`, made when missing; other files there are left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in rule_files(thresholds).items():
        (folder / name).write_text(text, encoding="utf-8")


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not THRESHOLD=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


if __name__ == "__main__":
    sys.exit(main())
