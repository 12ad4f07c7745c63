"""Logs: records of all agents in Elasticsearch."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from ..parts import links, palette, variables
from ..parts.board import Row, board
from ..parts.panels import THIRD, Column, over_time, records, table
from ..parts.queries import ELASTICSEARCH, counted
from ..parts.queries import records as found

CHOSEN = "labels.site:$site AND labels.instance:$instance AND service.name:$agent"
# as it was typed: Grafana would put a backslash before each sign and space, the * for all included
WANTED = f"({CHOSEN}) AND log.level:$level AND (${{text:raw}})"
ERRORS = f"{CHOSEN} AND log.level:(error OR critical)"
NONE = "No record in this time, or logs are not in Elasticsearch."


def dashboard() -> model.Dashboard:
    return board(
        "logs",
        "Logs",
        "What platforms and agents log: how much, what goes wrong, and the records themselves.",
        (_over_time(), _errors(), _records()),
        choose=(
            variables.elasticsearch(),
            variables.terms("site", "Site", "Where platforms run.", "labels.site"),
            variables.terms(
                "instance", "Instance", "Platforms by instance name.", "labels.instance", "labels.site:$site"
            ),
            variables.terms(
                "agent",
                "Agent",
                "Agents by VIP identity.",
                "service.name",
                "labels.site:$site AND labels.instance:$instance",
            ),
            variables.terms("level", "Level", "Of the records that are listed.", "log.level"),
            variables.text("text", "Text", "Words to look for, in Lucene's syntax; * for all.", "*"),
        ),
        to=(links.CONSOLE_RECORDS, links.KIBANA_RECORDS),
        span="now-1h",
    )


def _over_time() -> Row:
    return Row(
        "How much",
        (
            over_time(
                "Records by level",
                "Records in Elasticsearch within each step.",
                counted(WANTED, "log.level", over_time=True),
                unit="short",
                none=NONE,
                colours=palette.LEVELS,
                bars=True,
                source=ELASTICSEARCH,
            ),
            over_time(
                "Records by agent",
                "Records within each step, of the ten agents with most.",
                counted(WANTED, "service.name", over_time=True),
                unit="short",
                none=NONE,
                bars=True,
                source=ELASTICSEARCH,
            ),
        ),
    )


def _errors() -> Row:
    return Row(
        "What goes wrong",
        (
            over_time(
                "Errors by agent",
                "Records of level error and critical within each step, of the ten agents with most.",
                counted(ERRORS, "service.name", over_time=True),
                unit="short",
                none="No errors in this time.",
                bars=True,
                width=THIRD,
                source=ELASTICSEARCH,
            ),
            table(
                "Exceptions",
                "Types of exceptions with the agents that raised them.",
                counted(f"{CHOSEN} AND _exists_:error.type", "error.type", "service.name", limit=20),
                columns=(
                    Column("error.type", "Exception"),
                    Column("service.name", "Agent"),
                    Column("Count", "Records", "none", width=100),
                ),
                none="No exception in this time.",
                sort=("Records", True),
                width=THIRD,
                source=ELASTICSEARCH,
            ),
            table(
                "Loudest",
                "Loggers with the most records.",
                counted(CHOSEN, "log.logger"),
                columns=(Column("log.logger", "Logger"), Column("Count", "Records", "none", width=100)),
                none=NONE,
                sort=("Records", True),
                width=THIRD,
                source=ELASTICSEARCH,
            ),
        ),
    )


def _records() -> Row:
    return Row(
        "Records",
        (
            records(
                "Records",
                "Newest first, at most 500; the level and the words chosen above.",
                found(WANTED, limit=500),
                none=NONE,
                source=ELASTICSEARCH,
                height=20,
            ),
        ),
    )
