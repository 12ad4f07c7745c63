"""The parts of bench/faults: faults as small declarations, who watches what fires, and the quiet run."""
