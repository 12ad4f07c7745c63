"""Flamegraphs of any agent on demand: attach, sample, keep, draw."""
