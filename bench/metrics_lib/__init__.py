"""The parts of bench/metrics: without a platform, beside its peer, and on a real one."""
