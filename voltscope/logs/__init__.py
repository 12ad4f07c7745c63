"""Logs of a platform: tailed, parsed, joined, redacted, stored once and shipped; one stage a file."""
