"""The alerts engine of a site: VOLTTRON's own alerts to Alertmanager, and what fires there back to the bus."""
