"""Errors a person reads: what happened, what was kept, what to do next."""

from __future__ import annotations


class UserError(Exception):
    """A failure with an explanation for the person at the screen.

    `what` names the thing that is wrong, `kept` says what is safe on disk (empty when
    nothing was at stake), `next_step` says the way out.
    """

    def __init__(self, what: str, *, kept: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.kept = kept
        self.next_step = next_step

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.kept, self.next_step) if part)


class JobCancelledError(Exception):
    """Raised inside a job at its next safe point after the person cancelled it."""
