"""Text from anywhere, made safe to look at: what would command a terminal or turn the reading round is written out."""

from __future__ import annotations

import functools
import re

# Categories Cc, Cf, Cs, Zl and Zp: all that shows nothing and does something.
_ACTIVE = (
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)


def visible(text: str, keep: str = "") -> str:
    r"""`text` with control and format characters as escapes such as `\x1b` and `\u202e`, but for those in `keep`.

    Log messages and agents' names come from anywhere: an escape sequence in one must not move a cursor, set a title or
    answer for a keyboard, and a right-to-left override must not reorder what is read.
    """
    if text.isascii() and text.isprintable():
        return text
    return _but(keep).sub(_escape, text)


@functools.cache
def _but(keep: str) -> re.Pattern[str]:
    return re.compile(f"(?![{re.escape(keep)}]){_ACTIVE}" if keep else _ACTIVE)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
