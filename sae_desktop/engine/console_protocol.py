"""What the window and a console, which runs Python in a process of its own, say to one another."""

from __future__ import annotations

import msgspec

MOST_PRINTED = 100_000
"""Characters that one run may print: an endless loop that prints must not fill the memory."""


class Run(msgspec.Struct, frozen=True):
    """To the console: statements to run."""

    source: str


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The project is bound; statements are awaited."""

    index: str
    """The name of the index that is bound; empty: there is none."""


class Printed(msgspec.Struct, frozen=True, tag="printed"):
    """What was printed."""

    text: str
    error: bool = False


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The last statements have ended, however."""
