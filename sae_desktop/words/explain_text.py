"""What is said of explaining features by a model, for the window and the command line."""

from __future__ import annotations

from sae_desktop.labels.explaining.config import ExplanationPreview
from sae_desktop.words.amounts import duration_text, exact_count, figure_text


def preview_lines(preview: ExplanationPreview) -> list[str]:
    """Return sentences on what would be sent about a feature, and what all of it takes."""
    about = "" if preview.exact else "about "
    contexts = "1 context" if preview.contexts == 1 else f"{preview.contexts:,} contexts"
    lines = [
        f"Feature {preview.feature}: {contexts}, {about}{exact_count(preview.prompt_tokens)} "
        f"tokens, and at most {exact_count(preview.answer_tokens)} of an answer; prompt "
        f"“{preview.prompt}” ({preview.prompt_digest})."
    ]
    if preview.shortened:
        lines.append("Contexts were left out so that it fits the model’s window.")
    whole = preview.whole
    if preview.features > 1:
        most = "" if whole.measured else "at most "
        line = (
            f"All {exact_count(preview.features)} features: about "
            f"{exact_count(whole.prompt_tokens)} tokens sent and {most}"
            f"{exact_count(whole.answer_tokens)} received"
        )
        if whole.seconds is not None:
            line += f", in about {duration_text(whole.seconds)}"
        lines.append(f"{line}.")
    lines.append(_cost(preview))
    lines.append(
        "All of it stays on this machine."
        if preview.here
        else "The text below leaves this machine."
    )
    return lines


def _cost(preview: ExplanationPreview) -> str:
    if not preview.cost and not preview.whole.cost:
        return "It costs nothing: no prices are given."
    one = f"It costs at most {figure_text(preview.cost)}"
    if preview.features == 1:
        return f"{one}, in the currency of the prices."
    return f"{one}, all of them {figure_text(preview.whole.cost)}, in the currency of the prices."
