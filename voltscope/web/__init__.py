"""The HTTP surface every engine and the console share: who may do what, and a server that stops cleanly."""

from voltscope.web.access import Access, User
from voltscope.web.guard import GuardedApp, guarded
from voltscope.web.server import Server

__all__ = ["Access", "GuardedApp", "Server", "User", "guarded"]
