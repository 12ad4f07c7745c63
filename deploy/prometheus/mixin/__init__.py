"""The rules of voltscope as data: thresholds, recording rules, alerts; what is written from them is in `rules/`."""
