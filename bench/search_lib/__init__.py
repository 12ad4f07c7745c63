"""Parts of bench/search."""
