"""Calls a method of an agent: `python vip_call.py IDENTITY METHOD '{"keyword": "arguments"}'`, as the platform's user.

Run by the platform's own Python, in VOLTTRON_HOME; exit status 0 when it was done.
"""

import json
import sys

from volttron.client.commands.connection import ControlConnection
from volttron.utils import ClientContext

peer, method, arguments = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
connection = ControlConnection(ClientContext.get_address(), peer)
connection.call_no_get(method, **arguments).get(timeout=20)
