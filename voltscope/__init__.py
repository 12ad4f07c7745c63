"""Sight for VOLTTRON deployments: metrics, logs and flamegraphs of any agent."""


def __getattr__(name: str) -> str:
    """`__version__`, read when it is asked for: agents that load the probe wait for every import."""
    if name == "__version__":
        from voltscope.version import __version__

        return __version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
