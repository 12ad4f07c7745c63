"""The harness's own logic is imported from bench/, as bench/faults does."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path += [str(ROOT / "bench"), str(ROOT / "deploy"), str(ROOT / "tests" / "e2e")]
