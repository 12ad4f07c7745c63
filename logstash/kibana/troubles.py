"""What marks each kind of trouble in the logs of both generations, as queries in Lucene's syntax.

The phrases are those of VOLTTRON's own code, monolithic 9.0.4 and modular 2.0; words are compared without case.
"""

from __future__ import annotations


def _says(*phrases: str) -> str:
    quoted = [f'"{phrase}"' for phrase in phrases]
    return f"message:({' OR '.join(quoted)})"


ERRORS = "log.level:(error OR critical)"

# Once a start: the first is logged by both generations at INFO, the second at DEBUG. The rest: how one ends.
PLATFORM_RESTARTS = "service.name:platform AND " + _says(
    "Initializing configuration store service",
    "VOLTTRON PLATFORM RUNNING ON",
    "SIGINT received",
    "gevent stopped shutting down",
    "Stopping message bus",
)

# control: an agent that ended by itself, what became of it, and one that is not let start.
AGENT_RESTARTS = "service.name:platform AND " + _says(
    "stopped unexpectedly", "Successfully restarted agent", "Restart of"
)

# driver.py and interfaces/ (monolithic), platform_driver and volttron.driver (modular). Warnings that tell of a device
# or a point count too; those about configuration do not.
DRIVER_FAILURES = f"(service.name.words:driver OR log.logger.words:driver) AND ({ERRORS} OR " + (
    _says(
        "Failed to scrape",
        "Exception while polling",
        "Failed to set",
        "Error while reverting",
        "publish delayed",
        "failed to publish",
        "Did not receive confirmation",
        "Unable to reach BACnet proxy",
        "Error trying to ping device",
    )
    + ")"
)

# base_historian.py and the SQL historians. `*historian*`: monolithic names an agent sqlhistorianagent until it has
# connected.
HISTORIAN_TROUBLE = f"(service.name:*historian* OR log.logger.words:historian) AND ({ERRORS} OR " + (
    _says(
        "out of configured tolerance",
        "sqlite3 Integrity error",
        "cache size exceeded limit",
        "no connection configured",
        "Database is locked",
        "historian_not_publishing",
        "historian_cache_full",
        "error_managing_db_size",
        "process_loop_failed",
    )
    + ")"
)

# The SQL historians log "Time taken to load results from db" at DEBUG: `0:00:05.120000` (monolithic), `5.120s`
# (modular). Slow is a second or more. A locked database is the other way for a query to take long.
SLOW_QUERIES = (
    '(message:"Time taken to load results from db" AND NOT message:"results from db 0 00 00" AND NOT '
    '(message:"results from db 0" AND message:/[0-9]{3}s/)) '
    'OR message:"database is locked" OR error.message:"database is locked"'
)

# What voltscope puts where a secret was.
SECRETS_REDACTED = "message:REDACTED OR error.stack_trace.words:REDACTED"

ALL = {
    "platform restarts": PLATFORM_RESTARTS,
    "agents restarted": AGENT_RESTARTS,
    "driver failures": DRIVER_FAILURES,
    "historian trouble": HISTORIAN_TROUBLE,
    "slow queries": SLOW_QUERIES,
    "secrets redacted": SECRETS_REDACTED,
}
ANY = " OR ".join(f"({query})" for query in ALL.values())
