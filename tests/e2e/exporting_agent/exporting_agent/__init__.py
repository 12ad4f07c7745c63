"""An agent of somebody else's that exports metrics."""
