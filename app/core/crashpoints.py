"""Places where a process may be killed half-way; tests arm one and look at what is left.

A crash between two commits cannot be arranged from outside. `CRASH_AT=<name>` in the environment
ends the process there, as a power cut would: nothing is flushed, no handler runs.
"""

import os

KILLED = 137


def crashpoint(name: str) -> None:
    """End the process here if a test asked for it."""
    if os.environ.get("CRASH_AT") == name:
        os._exit(KILLED)
