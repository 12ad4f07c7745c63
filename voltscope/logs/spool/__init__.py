"""The spool: log records made durable with the position they were read up to; docs/spool.md specifies it."""

from voltscope.logs.spool.format import Pid, Position
from voltscope.logs.spool.limits import Limits, SpoolStat
from voltscope.logs.spool.reader import SpoolReader
from voltscope.logs.spool.segment import SegmentInfo
from voltscope.logs.spool.spool import Spool

__all__ = ["Limits", "Pid", "Position", "SegmentInfo", "Spool", "SpoolReader", "SpoolStat"]
