"""What the exporter serves: collectors, the families they fill, and the engine that answers Prometheus."""
