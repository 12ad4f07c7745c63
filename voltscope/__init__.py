"""Sight for VOLTTRON deployments: metrics, logs and flamegraphs of any agent."""

from voltscope.version import __version__

__all__ = ["__version__"]
