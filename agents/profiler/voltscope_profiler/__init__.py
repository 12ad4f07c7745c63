"""Makes flamegraphs of VOLTTRON agents on demand."""
