"""Calls one RPC method on a running platform of either generation and prints the answer as JSON.

Run by the platform's own Python, as the platform's user, in VOLTTRON_HOME:
`python vip_call.py IDENTITY METHOD '{"keyword": "arguments"}' [TIMEOUT]`
"""

import json
import sys

try:
    from volttron.client.commands.connection import ControlConnection
    from volttron.utils import ClientContext

    address = ClientContext.get_address()
except ImportError:
    from volttron.platform import get_address
    from volttron.platform.control.control_connection import ControlConnection

    address = get_address()

peer, method, arguments = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
timeout = float(sys.argv[4]) if len(sys.argv) > 4 else 20
connection = ControlConnection(address, peer)
try:
    answer = {"result": connection.call_no_get(method, **arguments).get(timeout=timeout)}
except BaseException as error:  # gevent's Timeout is no Exception; whatever it is, the test wants to see it
    answer = {"error": f"{type(error).__name__}: {error}"}
print(json.dumps(answer))
