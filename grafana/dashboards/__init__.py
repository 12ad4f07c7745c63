"""The dashboards, one a file; each has a function `dashboard()`."""
