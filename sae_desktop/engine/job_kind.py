"""What there is to know of a kind of job; the kinds are in `registry`."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec


@dataclass(frozen=True)
class Output:
    """What a job writes in the project: two jobs never write the same thing at once."""

    kind: str
    """As a person calls it: "store", "dictionary"."""
    field: str
    """The field of the config that names it."""


@dataclass(frozen=True)
class JobKind:
    """What the engine, the window and the command line know of a kind of job."""

    function: str
    """`module:name`, imported when the job is run."""
    result: type[msgspec.Struct]
    verb: str
    """Begins the job's title."""
    subject: str
    """The field of the config that ends the title, in quotes; empty: none."""
    output: Output | None = None
    """None for a job that only reads: it needs no project lock."""
    kept: str = ""
    """What is safe when the engine dies in the middle of it."""
    resumes: bool = False
    """Started again with the same config it goes on where it ended; else it begins anew."""
    stops: str = ""
    """What stopping it early does, for a person; empty: it can only be cancelled."""
    streams: type[msgspec.Struct] | None = None
    """The parts of its result that it hands on while it runs; None: it ends with all of it."""
    quiet: bool = False
    """A quick question: whoever asked shows the answer and the error, no list of jobs does."""
    elsewhere: bool = False
    """It writes outside of a project: a file or folder that was named, or the user's own ones."""

    waits: bool = False
    """It waits for hours and writes now and then: it takes the project's lock for that itself."""

    @property
    def writes(self) -> bool:
        """Whether it changes the project, for which it needs the project's lock."""
        return self.output is not None
