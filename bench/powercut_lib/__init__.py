"""The parts of bench/powercut: a disk that loses power, the spool driven on it, and mutants that must be caught."""
