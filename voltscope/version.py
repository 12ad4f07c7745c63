"""The one place the version is written: library, agents and the engine link's handshake read it here."""

__version__ = "0.1.0"
