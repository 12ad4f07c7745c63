"""What one agent may say: rate limits, sampling and a collapser of repeats, each of which tells what it left out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatchcase

import msgspec

from voltscope.logs.record import LEVELS, NUMBERS, SUMMARY, Record
from voltscope.logs.settings import Limit, Policing

_EXCERPT = 200
_LONGEST_KEPT = 8192  # characters of a run's last text kept from one commit to the next
_MOST_RUNS = 4096
_STEP_BACK_MS = 60_000  # a clock that was set back by more: a bucket would not fill until that time came again


class Hold(msgspec.Struct, array_like=True):
    """Records left out that nobody was told of yet. `offset`: of the first one; times in milliseconds.

    `level` 0: of several levels.
    """

    agent: str
    level: int
    reason: str
    detail: str
    count: int
    offset: int
    first_at: int
    last_at: int

    def summary(self) -> Record:
        """What logship says of them."""
        spent = max(1, round((self.last_at - self.first_at) / 1000))
        if self.reason == "repeat":
            level = self.level
            text = f"voltscope: repeated {self.count:,} time{'s' * (self.count > 1)} within {spent} s: {self.detail}"
        else:
            level = LEVELS["warning"]
            word = f" {NUMBERS[self.level].upper()}" if self.level else ""
            what = f"{self.count:,}{word} record{'s' * (self.count > 1)}"
            text = f"voltscope: dropped {what} of {self.agent} within {spent} s ({self.detail})"
        return Record(self.last_at, level, self.agent, "voltscope", text, self.offset, 0, flags=SUMMARY)


class PoliceState(msgspec.Struct, array_like=True, frozen=True):
    """What survives a restart. `tokens`: agent, limit, what is left and its time, of buckets less than half full."""

    holds: list[Hold] = []
    tokens: list[tuple[str, int, int, int]] = []


class Bucket:
    """A token bucket over the log's own time, or a sampler, for one agent and limit."""

    def __init__(self, limit: Limit, reason: str) -> None:
        self.limit, self.reason = limit, reason
        self.rate = (limit.records_per_second or 0) / 1000
        self.full = max(1.0, self.rate * limit.average_s * 1000)
        self.tokens, self.at, self._turn = self.full, 0, 0
        self.hold: Hold | None = None

    @property
    def detail(self) -> str:
        """The limit in words."""
        if self.limit.keep_one_in:
            return f"one in {self.limit.keep_one_in:,} is kept"
        return f"limit {self.limit.records_per_second:g} a second"

    def take(self, at: int) -> bool:
        """Whether a record dated `at` may pass."""
        if self.limit.keep_one_in:
            self._turn = self._turn % self.limit.keep_one_in + 1
            if self._turn != 1:
                return False
        if not self.rate:
            return True
        if at < self.at - _STEP_BACK_MS:
            self.at = at
        if at > self.at:
            self.tokens = min(self.full, self.tokens + (at - self.at) * self.rate)
            self.at = at
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Run:
    """The last text of one agent, logger and level. `busy`: every record of it is a case for `Police.admits`."""

    __slots__ = ("agent", "buckets", "busy", "hold", "level", "passed", "seen", "text", "window_at")

    def __init__(self, agent: str, level: int, buckets: tuple[Bucket, ...]) -> None:
        self.agent, self.level, self.buckets = agent, level, buckets
        self.busy = bool(buckets)
        self.text = ""
        self.passed = self.seen = self.window_at = 0
        self.hold: Hold | None = None


class Police:
    """Of one log. Not thread-safe. All decisions go by the log's own time: read again, it is judged the same.

    `counts`: records by agent and level; `dropped`: those left out, by agent and reason (repeat, debug-budget, rate,
    sample). Both count what is durable. `redact`: takes the secrets out of what is repeated in a summary.
    """

    def __init__(
        self,
        config: Policing,
        redact: Callable[[str], str],
        counts: Counter[tuple[str, str]] | None = None,
        dropped: Counter[tuple[str, str]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redact, self._clock = redact, clock
        self.counts: Counter[tuple[str, str]] = Counter() if counts is None else counts
        self.dropped: Counter[tuple[str, str]] = Counter() if dropped is None else dropped
        self._new_drops: Counter[tuple[str, str]] = Counter()
        self._runs: dict[tuple[str, str, int], Run] = {}
        self._buckets: dict[tuple[str, int], Bucket] = {}
        self._tokens: dict[tuple[str, int], tuple[int, int]] = {}
        self._holding: dict[Run | Bucket, float] = {}
        self.summaries: list[Record] = []
        self.epoch = 0  # runs handed out before it changed are no longer counted
        self._configure(config)

    def _configure(self, config: Policing) -> None:
        self._limits = [(limit, "sample" if limit.keep_one_in else "rate") for limit in config.limits]
        if config.debug_records_per_second:
            budget = Limit(level="debug", records_per_second=config.debug_records_per_second)
            self._limits.append((budget, "debug-budget"))
        self._after, self._window_ms = config.collapse_after, round(config.window_s * 1000)

    def configure(self, config: Policing) -> None:
        """From the next record on, go by `config`."""
        self.flush()
        self._count_seen()
        self._configure(config)
        self._runs.clear()
        self._buckets.clear()
        self.epoch += 1

    def run(self, agent: str, logger: str, level: int) -> Run:
        """The run that records of this agent, logger and level belong to."""
        run = self._runs.get((agent, logger, level))
        if run is None:
            applying = [
                self._bucket(agent, index)
                for index, (limit, _) in enumerate(self._limits)
                if limit.level in (None, NUMBERS[level]) and fnmatchcase(agent, limit.agent)
            ]
            run = self._runs[(agent, logger, level)] = Run(agent, level, tuple(applying))
        return run

    def _bucket(self, agent: str, index: int) -> Bucket:
        bucket = self._buckets.get((agent, index))
        if bucket is None:
            bucket = self._buckets[(agent, index)] = Bucket(*self._limits[index])
            if left := self._tokens.pop((agent, index), None):
                bucket.tokens, bucket.at = left
        return bucket

    def admits(self, run: Run, at: int, text: str, offset: int) -> bool:
        """Whether the record passes; to be asked when its text is the run's last one, or the run is busy."""
        if text == run.text and self._after:
            if not run.passed:
                run.passed, run.window_at = 1, at
            elif not 0 <= at - run.window_at < self._window_ms:
                self._tell(run)
                run.passed, run.window_at = 0, at
            run.passed += 1
            if run.passed > self._after:
                if run.hold is None:
                    excerpt = self._redact(text)
                    excerpt = excerpt if len(excerpt) <= _EXCERPT else f"{excerpt[:_EXCERPT]}…"
                    self._begin(run, Hold(run.agent, run.level, "repeat", excerpt, 0, offset, at, at))
                    run.busy = True
                self._drop(run, at)
                return False
        else:
            self._tell(run)
            run.text, run.passed = text, 0
        for bucket in run.buckets:
            if bucket.hold is not None and not 0 <= at - bucket.hold.first_at < self._window_ms:
                self._tell(bucket)
            if not bucket.take(at):
                if bucket.hold is None:
                    level = run.level if bucket.limit.level else 0
                    self._begin(bucket, Hold(run.agent, level, bucket.reason, bucket.detail, 0, offset, at, at))
                self._drop(bucket, at)
                return False
        return True

    def _begin(self, holder: Run | Bucket, hold: Hold) -> None:
        holder.hold = hold
        self._holding[holder] = self._clock()

    def _drop(self, holder: Run | Bucket, at: int) -> None:
        hold = holder.hold
        assert hold is not None  # noqa: S101  (the callers began it)
        hold.count += 1
        hold.last_at = max(at, hold.last_at)
        self._new_drops[(hold.agent, hold.reason)] += 1

    def _tell(self, holder: Run | Bucket) -> None:
        if holder.hold is None:
            return
        self.summaries.append(holder.hold.summary())
        holder.hold = None
        del self._holding[holder]
        if isinstance(holder, Run):
            holder.busy = bool(holder.buckets)

    def tick(self) -> None:
        """Tell of what has been held for as long as a window lasts: nothing may come any more that would end it."""
        if self._holding:
            until = self._clock() - self._window_ms / 1000
            for holder in [holder for holder, since in self._holding.items() if since <= until]:
                self._tell(holder)

    def flush(self) -> None:
        """Tell of all that is held: the file ended."""
        for holder in list(self._holding):
            self._tell(holder)

    def take_summaries(self) -> list[Record]:
        """The summaries made since the last call."""
        made, self.summaries = self.summaries, []
        return made

    def state(self) -> PoliceState:
        """To be kept with the position after the records judged so far."""
        return PoliceState(
            [holder.hold for holder in self._holding if holder.hold is not None],
            [
                (agent, index, round(bucket.tokens), bucket.at)
                for (agent, index), bucket in self._buckets.items()
                if bucket.tokens < bucket.full / 2
            ],
        )

    def restore(self, state: PoliceState) -> None:
        """Go on after a restart: what was held is told of at once."""
        self.summaries = [hold.summary() for hold in state.holds]
        self._tokens = {(agent, index): (tokens, at) for agent, index, tokens, at in state.tokens}

    def committed(self) -> None:
        """What was judged so far is durable: count it."""
        self._count_seen()
        self.dropped.update(self._new_drops)
        self._new_drops.clear()
        if len(self._runs) > _MOST_RUNS:
            self._runs = {key: run for key, run in self._runs.items() if run.hold is not None}
            self.epoch += 1

    def _count_seen(self) -> None:
        for run in self._runs.values():
            if run.seen:
                self.counts[(run.agent, NUMBERS[run.level])] += run.seen
                run.seen = 0
                if len(run.text) > _LONGEST_KEPT:
                    run.text = ""
