"""Alertmanager's configuration: whom an alert is told to, together with which others, and what hushes it."""
