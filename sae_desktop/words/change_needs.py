"""What a comparison or a watch will take, in a sentence. Free of Qt and torch."""

from __future__ import annotations

from sae_desktop.safety.change.needs import Needs
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.amounts import duration_words, exact_count


def needs_text(needs: Needs | None, pace: float, free: int, each: str = "") -> str:
    """Return how long it takes and what memory; `pace` as measured in the project, 0: never.

    `each` is what the time is of, such as “for each checkpoint”. `free`: bytes of memory there are.
    """
    if needs is None:
        return (
            "How long it takes is shown as it runs: the model’s files are not on this machine, or "
            "do not say how large it is."
        )
    seconds = needs.seconds * (pace or 1.0)
    where = (
        "at the pace of the latest comparisons in this project"
        if pace
        else "on two cores without other load"
    )
    time = " ".join(part for part in (duration_words(seconds), each, where) if part)
    told = f"Takes {time}, and about {format_bytes(needs.bytes)} of memory"
    if needs.bytes > free > 0:
        return (
            f"{told}; only {format_bytes(free)} are free. Choose fewer texts, or a smaller "
            "crosscoder."
        )
    return f"{told}."


def compared_text(tokens: int, models: int, crosscoder: int) -> str:
    """Return what a comparison does."""
    told = f"Reads {exact_count(tokens)} tokens with each of {models} models, two at a time."
    if crosscoder:
        told += f" Then trains a crosscoder of {exact_count(crosscoder)} features over all of them."
    return told
