"""An agent that starves a historian by subscribing as agents do."""
