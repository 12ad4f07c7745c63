"""Exports a VOLTTRON platform's metrics to Prometheus."""
