"""What is said of a trace before it starts and after it. Free of Qt and torch."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sae_desktop.circuits.config import TraceEstimate
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.amounts import duration_words, exact_count, time_left_text

_LONGEST = 48
_NOT_IN_NAMES = re.compile(r"[^\w .+-]+")


def read_tokens(text: str) -> tuple[str, ...]:
    """Return the tokens that a field names, set apart by commas.

    A token in quotes is taken as it stands there; others have the space before a word that a
    next token has.
    """
    found = []
    for part in _parts(text):
        token = part.strip()
        if len(token) >= 2 and token[0] in "\"“'‘" and token[-1] in "\"”'’":
            token = token[1:-1]
            if token:
                found.append(token)
        elif token:
            found.append(f" {token}")
    return tuple(found)


def _parts(text: str) -> list[str]:
    """Split at commas that are not within quotes."""
    return list(re.findall(r"(?:[\"“][^\"”]*[\"”]|[^,])+", text))


def graph_name(prompt: str, taken: Sequence[str]) -> str:
    """Return a name for a prompt's graph, made of its words, that is not taken."""
    words = " ".join(_NOT_IN_NAMES.sub(" ", prompt).split())
    name = words[:_LONGEST].strip(" .+-_")
    if len(words) > _LONGEST and " " in name:  # a name ends with a word
        name = name.rpartition(" ")[0].strip(" .+-_")
    name = name or "graph"
    if not name[0].isalnum():
        name = f"graph {name}"
    number, found, folded = 2, name, {other.casefold() for other in taken}
    while found.casefold() in folded:
        found, number = f"{name} {number}", number + 1
    return found


def tracing_text(done: float, total: float, seconds_left: float | None) -> str:
    """Return how far a trace is."""
    share = f" {100 * done / total:.0f}%" if total > 0 else ""
    left = f" · {time_left_text(seconds_left)}" if seconds_left is not None else ""
    return f"Tracing…{share}{left}"


def estimate_text(estimate: TraceEstimate) -> str:
    """Return what a trace takes, in one line; what does not fit, and what to change."""
    if not estimate.fits:
        return estimate.problem
    return (
        f"{exact_count(estimate.feature_nodes)} features · {duration_words(estimate.seconds)} · "
        f"{format_bytes(estimate.memory_bytes)} memory · {format_bytes(estimate.disk_bytes)} disk"
    )
