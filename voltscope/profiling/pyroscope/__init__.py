"""Profiles for Grafana: the read API of Pyroscope, answered from our own archive."""
