"""Alerts on their way to people: from the platform's bus to Alertmanager, and what people say of them."""
