"""How pip is configured for the caller, read from its files, so that it can be handed on and poetry be told."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

DEFAULT_INDEX = "https://pypi.org/simple"
_OPTIONS = ("index-url", "extra-index-url", "trusted-host", "cert", "proxy", "find-links", "timeout", "retries")


def pip_files(environment: Mapping[str, str], home: Path) -> list[Path]:
    """pip's configuration files in the order it reads them: later ones win (pip's own documentation)."""
    if environment.get("PIP_CONFIG_FILE") == os.devnull:
        return []
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path("/etc/pip.conf"), Path("/etc/xdg/pip/pip.conf"), home / ".pip/pip.conf", config / "pip/pip.conf"]
    if environment.get("PIP_CONFIG_FILE"):
        files.append(Path(environment["PIP_CONFIG_FILE"]))
    return files


def pip_environment(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """The configuration files' settings as PIP_ variables, for a user who cannot read those files."""
    found: dict[str, str] = {}
    for file in pip_files(environment, home):
        parser = configparser.RawConfigParser()
        try:
            parser.read(file)
        except configparser.Error:
            continue  # pip itself will say what is wrong with it
        for section in ("global", "install"):
            for option in _OPTIONS:
                if parser.has_option(section, option):
                    found[f"PIP_{option.upper().replace('-', '_')}"] = " ".join(parser.get(section, option).split())
    return found


def index_urls(environment: Mapping[str, str]) -> list[str]:
    """The package indices pip asks, first the main one, without trailing slashes; `environment` as handed on."""
    urls = [environment.get("PIP_INDEX_URL") or DEFAULT_INDEX, *environment.get("PIP_EXTRA_INDEX_URL", "").split()]
    return [url.rstrip("/") for url in urls]
