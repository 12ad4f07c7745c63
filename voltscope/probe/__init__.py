"""What runs inside an agent, on request: it walks greenlets, for they cannot be seen from outside.

Imports nothing but what the interpreter has loaded at start: agents wait for it.
"""
