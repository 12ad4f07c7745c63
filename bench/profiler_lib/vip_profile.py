"""Times captures over VIP from a connection of its own. Run by the platform's Python, as its user, in VOLTTRON_HOME:

`vip_profile.py AGENT SECONDS COUNT` prints a JSON list of seconds, each from request to picture.
"""

import json
import sys
import time

try:
    from volttron.client.commands.connection import ControlConnection
    from volttron.utils import ClientContext

    address = ClientContext.get_address()
except ImportError:
    from volttron.platform import get_address
    from volttron.platform.control.control_connection import ControlConnection

    address = get_address()

agent, seconds, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
connection = ControlConnection(address, "voltscope.profiler")
taken = []
for _ in range(count):
    began = time.perf_counter()
    capture = connection.call_no_get("profile", agent, seconds).get(timeout=seconds + 60)
    connection.call_no_get("capture", capture["id"], "svg").get(timeout=60)
    taken.append(time.perf_counter() - began)
print(json.dumps(taken))
