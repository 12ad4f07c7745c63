"""Asks a historian for what it has recorded, again and again: work that a flamegraph of it shows.

Run by the platform's own Python, as the platform's user, in VOLTTRON_HOME, on either generation:
`python historian_at_work.py IDENTITY SECONDS`. It connects under the identity that vctl has: use no vctl meanwhile.
"""

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

historian, end = sys.argv[1], time.monotonic() + float(sys.argv[2])
connection = ControlConnection(address, historian)
while time.monotonic() < end:
    topics = connection.call_no_get("get_topic_list").get(timeout=20)
    for topic in topics[:5]:
        connection.call_no_get("query", topic=topic, count=500, order="LAST_TO_FIRST").get(timeout=20)
