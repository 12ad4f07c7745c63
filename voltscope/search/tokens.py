"""What a word is: a run of letters and digits of any script, in lower case and otherwise as it was written."""

from __future__ import annotations

import re

_BETWEEN = re.compile(r"[\W_]+")
# Other shapes of a letter, which are that letter to who reads them, and to the analyzer of our index template.
SHAPES = dict(zip("µſςϐϑϕϖϰϱϵẛ\u1fbe", "μsσβθφπκρεṡι", strict=True))
# Lower case a character at a time, as other search engines have it: Python would make two of the first, and take the
# second for another letter at the end of a word.
_ALONE = str.maketrans({"İ": "i", "Σ": "σ", **SHAPES})


def words_of(text: str) -> list[str]:
    """The words of `text`, in order."""
    return spaced(text).split()


def spaced(text: str) -> str:
    """`text` in lower case with a space in place of everything that is not of a word."""
    return _BETWEEN.sub(" ", text.translate(_ALONE).lower())
