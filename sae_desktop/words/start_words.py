"""What starting a training from a dictionary of the project means, in words. Free of Qt."""

from __future__ import annotations

from sae_desktop.training.run_folder import DictionarySummary
from sae_desktop.training.start_from import known_k
from sae_desktop.training.started import StartedFrom, figures_text
from sae_desktop.words.amounts import exact_count, figure_text
from sae_desktop.words.architecture_titles import architecture_title

NOTHING = "Nothing (random directions)"
TAKEN_OVER = "Taken over from “{}”: a run that starts from a dictionary keeps it."
_BEGINS = (
    "Its directions, biases and thresholds are where the run begins, under a lower learning rate; "
    "the dictionary itself stays as it is."
)


def parent_title(parent: DictionarySummary) -> str:
    """Return what a dictionary is, such as “TopK, 2,048 features, L0 31”."""
    k = known_k(parent)
    active = f", L0 {k}" if k is not None else ""
    size = f"{exact_count(parent.features)} features"
    return f"{architecture_title(parent.architecture)}, {size}{active}"


def start_text(parent: DictionarySummary, model: str, site: str) -> str:
    """Return what starting from a dictionary means for a run on a site of a model.

    An empty model or site is not known.
    """
    if model and parent.model and model != parent.model:
        return f"{_BEGINS} It is of another model, {parent.model}: {_WORSE}"
    if site and parent.site and site != parent.site:
        return f"{_BEGINS} It is of another site, {parent.site}: {_WORSE}"
    return _BEGINS


_WORSE = "expect the first values of the curves to be worse."


def copied_text(name: str, gone: str) -> str:
    """Return what is told of settings that were copied from a run.

    `gone` is the dictionary it started from, if that is no longer in the project.
    """
    if not gone:
        return f"These are the settings of “{name}”."
    return (
        f"These are the settings of “{name}”, but “{gone}”, from which it started, is no longer in "
        "the project: this training would begin with random directions."
    )


def started_sentence(started: StartedFrom | None) -> str:
    """Return what a run made of the dictionary it started from; empty where it began at random."""
    if started is None:
        return ""
    before, after = started.before, started.after
    if before is None or after is None:
        return f"Started from “{started.name}”."
    return (
        f"Started from “{started.name}”. On {exact_count(before.rows)} held-out rows of these "
        f"activations, before: {figures_text(before)}. After: {figures_text(after)}."
    )


def started_figures(started: StartedFrom | None) -> list[tuple[str, str]]:
    """Return (what, figure) for a card of what was trained further."""
    if started is None or started.before is None or started.after is None:
        return []
    before, after = started.before.fvu, started.after.fvu
    return [("FVU before, after", f"{figure_text(before)} → {figure_text(after)}")]
