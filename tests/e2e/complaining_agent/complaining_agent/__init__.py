"""Complains on the bus when told to."""
