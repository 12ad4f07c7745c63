"""Parts of bench/logs."""
