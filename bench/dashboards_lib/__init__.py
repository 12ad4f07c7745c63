"""Parts of bench/dashboards."""
