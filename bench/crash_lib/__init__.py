"""Parts of bench/crash-matrix."""
