"""Ways to a receiver of log records, one a file."""
