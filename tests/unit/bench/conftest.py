"""The harness's own logic is imported from bench/, as bench/faults does."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path += [str(ROOT / name) for name in ("bench", "deploy", "deploy/prometheus", "tests/e2e", "tests/grafana")]
