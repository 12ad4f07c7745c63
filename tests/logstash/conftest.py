"""Where the package of Kibana's objects is, and the rig that reads logs as logship does."""

from __future__ import annotations

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(_ROOT / "logstash"), str(_ROOT / "tests" / "unit" / "logs")]
