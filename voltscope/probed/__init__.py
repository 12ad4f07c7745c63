"""The root helper: a closed list of kernel probes for the processes of whoever asks, docs/probed.md."""
