#!/usr/bin/env python3
"""Writes Alertmanager's configuration: `generate.py` anew in place, a site's own with `--settings` and `--output`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from delivery.files import files  # noqa: E402 (found by the path set above)
from delivery.settings import Settings, read  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """0, or 2 when the settings are none."""
    parser = argparse.ArgumentParser(description="Writes voltscope's configuration of Alertmanager.")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="who is told, as JSON; see README.md")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="where to, such as /etc/prometheus; without it here, with the defaults",
    )
    given = parser.parse_args(arguments)
    if given.settings and given.output is None:
        parser.error("--settings needs --output: what is kept here has the defaults")
    try:
        settings = read(json.loads(given.settings.read_text(encoding="utf-8"))) if given.settings else Settings()
    except (OSError, ValueError) as error:
        parser.error(f"{given.settings}: {error}")
    write(settings, given.output or HERE)
    return 0


def write(settings: Settings, folder: Path) -> None:
    """Writes the configuration and its templates into `folder`; other files there are left alone."""
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    for name, text in files(settings).items():
        (folder / name).write_text(text, encoding="utf-8")
    if folder != HERE:
        shutil.copy(HERE / "templates/voltscope.tmpl", folder / "templates/voltscope.tmpl")


if __name__ == "__main__":
    sys.exit(main())
