"""The parts of bench/profiler."""
