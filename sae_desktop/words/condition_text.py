"""What became of the conditions of a steered text, in a sentence or two. Free of Qt and torch."""

from __future__ import annotations

from sae_desktop.steering.config import Variant, VariantResult, WatchedText


def open_text(asked: Variant, found: VariantResult, mark: str = "") -> str:
    """Return where conditions were open; empty of a text without one, or not compared.

    `mark`: how such tokens are marked, such as “underlined”.
    """
    gated = [act for act in asked.interventions if act.when is not None]
    sentences = []
    if gated and (found.tokens or not found.text):
        sentences.append(_opened(asked, found, mark))
    if found.stopped:
        sentences.append(
            "A condition ended the text here."
            if found.text
            else "A condition is met on the prompt, so nothing is written."
        )
    elif asked.stop:
        sentences.append("No token met the condition that ends the text.")
    return " ".join(sentences)


def _opened(asked: Variant, found: VariantResult, mark: str) -> str:
    prompt, written = len(found.prompt_open), sum(token.open for token in found.tokens)
    if not prompt and not written:
        gated = all(act.when is not None for act in asked.interventions)
        same = gated and not asked.stop and not asked.prompt
        told = ": the text is the plain model’s" if same else ""
        return f"No token met the condition{told}."
    parts = [f"{prompt:,} of the prompt"] * bool(prompt)
    parts += [f"{written:,} of the {len(found.tokens):,} written"] * bool(found.tokens)
    counts = " and ".join(parts)
    if mark:
        return f"The condition was open on the {mark} tokens: {counts}."
    return f"The condition was open on {counts} tokens."


def watched_text(found: WatchedText, mark: str = "") -> str:
    """Return what a monitor says of a text, in a sentence; `mark`: how hits are marked."""
    highest = f"{max(found.scores):.3g}" if found.scores else "none"
    count = len(found.hits)
    told = f" ({mark})" if mark else ""
    fires = f"fires on {count:,} {'token' if count == 1 else 'tokens'}{told}"
    said = fires if count else "does not fire"
    return f"“{found.monitor}” {said}; highest {highest}, threshold {found.threshold:.3g}."
