"""What the reading desk says in its foot: what was done, and what one can do next."""

from __future__ import annotations

from collections.abc import Sequence

from sae_desktop.gui.explore.labels.undo_steps import Step
from sae_desktop.project_labels import MOST_STARS

BACK = "Ctrl+Z takes that back."
AGAIN = "Ctrl+Shift+Z does it again."
NOT_TO_RATE = "Nothing can be rated yet: agree with a name, or type one; then R rates it."
COMPARE = "Compare; N shows the next."


def quoted(text: str) -> str:
    """Return a text in quotes; quotes within it become single ones."""
    return f"“{text.replace('“', '‘').replace('”', '’')}”"


def called(feature: int, text: str) -> str:
    """A feature has this label from now on; empty: none."""
    return f"#{feature} is now called {quoted(text)}." if text else f"#{feature} has no label now."


def rejected(text: str, *, more: bool) -> str:
    """A name was rejected; `more`: others are proposed."""
    next_step = "1 takes the next name, E types your own." if more else "E types your own."
    return f"{quoted(text)} is rejected. {next_step} {BACK}"


def rated(feature: int, rating: int) -> str:
    """The label of a feature was rated."""
    told = f"is rated {rating} of {MOST_STARS}" if rating else "is not rated any more"
    return f"The label of #{feature} {told}. {BACK}"


def tagged(feature: int, tags: Sequence[str]) -> str:
    """Tags were typed."""
    told = f"is tagged {', '.join(tags)}" if tags else "has no tags now"
    return f"#{feature} {told}. {BACK}"


def stepped(feature: int, before: str, now: str, step: Step) -> str:
    """A step was taken back or done again; `before` is the label given here, `now` the shown."""
    if not step.undone:
        told = called(feature, now) if before and before == now else f"{step.text}."
        return f"Done again: {told} {BACK}"
    if before and before != now:
        return f"Undone: #{feature} is no longer called {quoted(before)}. {AGAIN}"
    return f"Undone: {step.text}. {AGAIN}"
