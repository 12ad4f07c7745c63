"""What happens to made-up platforms, and whom a real Prometheus and a real Alertmanager tell of it."""
