"""Who speaks: all that records with the same header have in common, worked out once."""

from __future__ import annotations

from voltscope.logs import scrapes
from voltscope.logs.identity import TELLING, Identities
from voltscope.logs.parse import NOBODY, Format, Header
from voltscope.logs.police import Police, Run

_MOST = 4096
_STARTED, _CONNECTING = (word.decode() for word in TELLING)
_LONGEST_TOLD = 4096


class Voice:
    """What every record with one header has in common. `special`: records of it need more than to be made."""

    __slots__ = ("agent", "flags", "header", "level", "line", "logger", "pid", "run", "special", "version")

    def __init__(self, header: Header, agent: str, version: str | None, run: Run) -> None:
        self.header, self.agent, self.version, self.run = header, agent, version, run
        self.level, self.logger, self.pid, self.line = header.level, header.logger, header.pid, header.line
        self.flags = header.flags
        self.special = bool(header.flags) or scrapes.DRIVER in header.logger


class Voices:
    """`known`: by header, as it stands in the log. Not thread-safe."""

    def __init__(self, identities: Identities, police: Police) -> None:
        self._identities, self._police = identities, police
        self.known: dict[str, Voice] = {}
        self._learned = (-1, -1)

    def of(self, form: Format, text: str, at: int) -> Voice:
        """Of a header at that time, milliseconds since the epoch."""
        voice = self.known.get(text)
        if voice is not None:
            return voice
        header = form.header(text)[0] if text else NOBODY
        learned = self._identities.learned
        agent, version, lasting = self._identities.of(header, at / 1000)
        voice = Voice(header, agent, version, self._police.run(agent, header.logger, header.level))
        if lasting and form.timed:
            if len(self.known) >= _MOST:
                self.known.clear()
            self.known[text] = voice
        # A process seen for the first time says nothing new of others.
        self._learned = (self._learned[0] + self._identities.learned - learned, self._learned[1])
        return voice

    def tells(self, voice: Voice, at: int, text: str) -> bool:
        """Whether something was learned from the text of a record about who is who."""
        if _STARTED not in text and _CONNECTING not in text:
            return False
        self._identities.listen(voice.header, at / 1000, text[:_LONGEST_TOLD])
        return self.refresh()

    def refresh(self) -> bool:
        """Forget what may no longer be true, if anything."""
        learned = (self._identities.learned, self._police.epoch)
        if learned == self._learned:
            return False
        self._learned = learned
        self.known.clear()
        return True
