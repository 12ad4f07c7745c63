"""One import surface for both generations of VOLTTRON; importing this needs the platform's environment."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any

try:  # modular: volttron-core >= 2
    from volttron.client.known_identities import (
        CONFIGURATION_STORE,
        CONTROL,
        PLATFORM_DRIVER,
        PLATFORM_HEALTH,
    )
    from volttron.client.messaging.health import STATUS_BAD, STATUS_GOOD
    from volttron.client.vip.agent import RPC, Agent, Core
    from volttron.client.vip.agent.errors import Unreachable
    from volttron.utils import load_config, vip_main

    GENERATION = "modular"
except ImportError:  # monolithic 8 and 9
    from volttron.platform.agent.known_identities import (
        CONFIGURATION_STORE,
        CONTROL,
        PLATFORM_DRIVER,
        PLATFORM_HEALTH,
    )
    from volttron.platform.agent.utils import load_config, setup_logging, vip_main
    from volttron.platform.messaging.health import STATUS_BAD, STATUS_GOOD
    from volttron.platform.vip.agent import RPC, Agent, Core
    from volttron.platform.vip.agent.errors import Unreachable

    # modular's vip_main does this itself; monolithic's does not, and without it our records reach the platform's
    # log as bare lines on standard error, each an ERROR
    setup_logging()
    GENERATION = "monolithic"


def vip_socket() -> Any | None:
    """The class of the sockets that agents of this process receive from; None on another bus than ZeroMQ."""
    name = "volttron.messagebus.zmq.socket" if GENERATION == "modular" else "volttron.platform.vip.socket"
    try:
        return importlib.import_module(name)._Socket
    except (ImportError, AttributeError):
        return None


def platform_version() -> str | None:
    """The version of the platform in this environment, None where it cannot be told."""
    if GENERATION == "monolithic":
        platform: Any = importlib.import_module("volttron.platform")
        return str(platform.__version__)
    try:
        return importlib.metadata.version("volttron")
    except importlib.metadata.PackageNotFoundError:
        return None


__all__ = [
    "CONFIGURATION_STORE",
    "CONTROL",
    "GENERATION",
    "PLATFORM_DRIVER",
    "PLATFORM_HEALTH",
    "RPC",
    "STATUS_BAD",
    "STATUS_GOOD",
    "Agent",
    "Core",
    "Unreachable",
    "load_config",
    "platform_version",
    "vip_main",
    "vip_socket",
]
