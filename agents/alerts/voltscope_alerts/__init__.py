"""Alerts of a VOLTTRON platform to Alertmanager, and those that fire back to its bus."""
