"""The parts of bench/live."""
