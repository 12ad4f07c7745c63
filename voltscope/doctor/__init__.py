"""`voltscope doctor`: what commonly goes wrong on a site, one small check each, and the support bundle."""

from voltscope.doctor.finding import FAIL, OK, WARN, Finding
from voltscope.doctor.world import World

__all__ = ["FAIL", "OK", "WARN", "Finding", "World"]
