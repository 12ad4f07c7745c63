"""A stuck agent for tests."""
