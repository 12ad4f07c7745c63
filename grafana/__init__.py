"""Grafana dashboards as Python; what is imported or provisioned is the JSON they generate, in `json/`."""
