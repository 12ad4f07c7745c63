"""A busy agent for tests."""
