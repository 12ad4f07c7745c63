"""The HTTP surface every engine and the console share: who may do what, and a server that stops cleanly."""

from voltscope.web.access import Access, User
from voltscope.web.guard import GuardedApp, guarded, is_loopback
from voltscope.web.server import Server
from voltscope.web.web_config_file import WebConfigFile, WebConfigured, identified

__all__ = [
    "Access",
    "GuardedApp",
    "Server",
    "User",
    "WebConfigFile",
    "WebConfigured",
    "guarded",
    "identified",
    "is_loopback",
]
