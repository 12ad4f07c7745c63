"""What dashboards are put together from."""
