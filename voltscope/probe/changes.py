"""What a watch has told already: an update need only have what is new, for most greenlets stand where they stood."""

from __future__ import annotations

from collections import Counter

from voltscope.probe.registry import Registry

# Paths that have a number, and their text. Of a program that makes ever new ones, the others are told in full.
MOST_NUMBERED, MOST_TEXT = 20_000, 2_000_000


class Told:
    """Of one watch; to be ended. `after`: at which of the registry's changes all has been told, -1 for none."""

    def __init__(self, registry: Registry, most_text: int = MOST_TEXT) -> None:
        self.after = self._upto = -1
        self._registry, self._room = registry, most_text
        self._left: list[int] = []
        self._numbers: dict[str, int] = {}
        registry.leavers.append(self._left)

    def end(self) -> None:
        """The registry is to note no more who leaves."""
        self._registry.leavers[:] = [left for left in self._registry.leavers if left is not self._left]

    def looking(self) -> None:
        """A look begins, of which will be told. What changes during it is told twice, where that cannot be known."""
        self._upto = self._registry.changes

    def text(self, clock: float, whole: bool) -> str:
        """What an update has of it, as JSON. `whole`: it has all greenlets there are room for, and what was told of
        others counts no more. `clock`: when they were looked at (perf_counter).
        """
        left = self._left[:]
        del self._left[: len(left)]
        after, self.after = self.after, -1 if whole else self._upto
        return f'"clock":{clock:.6f},"whole":{"true" if whole or after < 0 else "false"},"gone":{left},'

    def folded(self, paths: Counter[str]) -> str:
        """How often the paths were seen, as JSON: those that were told already by number, in the order of telling. As
        long as there is room for more: once a path has got no number, no other one gets any.
        """
        numbers, fresh, again = self._numbers, [], []
        before = len(numbers)
        for path, times in paths.items():
            number = numbers.get(path)
            if number is not None:
                again.append(f"[{number},{times}]")
                continue
            fresh.append(f"{path}:{times}")
            self._room -= len(path)
            if self._room >= 0 and len(numbers) < MOST_NUMBERED:
                numbers[path] = len(numbers)
        return f'"folded":{{{",".join(fresh)}}},"numbered":{len(numbers) - before},"again":[{",".join(again)}],'
