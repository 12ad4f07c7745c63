"""The console: web pages over Prometheus, the log store and the profiler of one site."""
