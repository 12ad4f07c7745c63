"""An agent that misbehaves when told to."""
