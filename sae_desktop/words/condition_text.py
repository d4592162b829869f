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
        sentences.append("No condition ended the text.")
    return " ".join(sentences)


def _opened(asked: Variant, found: VariantResult, mark: str) -> str:
    prompt, written = len(found.prompt_open), sum(token.open for token in found.tokens)
    if not prompt and not written:
        gated = all(act.when is not None for act in asked.interventions)
        same = gated and not asked.stop and not asked.prompt
        told = ": the text is the plain model’s" if same else ""
        return f"No token met the condition{told}."
    parts = [f"{prompt:,} of the prompt"] * bool(prompt)
    parts += [f"{written:,} of {len(found.tokens):,} written"] * bool(found.tokens)
    before = f"{mark}: t" if mark else "T"
    return f"{before}he condition was open ({', '.join(parts)})."


def watched_text(found: WatchedText, mark: str = "") -> str:
    """Return on how many tokens a monitor fires, in a short line.

    `mark`: how they are marked, such as “Bold”.
    """
    hits, tokens = len(found.hits), len(found.scores)
    if not hits:
        return f"“{found.monitor}” fires on none of {tokens:,} tokens."
    before = f"{mark}: " if mark else ""
    return f"{before}“{found.monitor}” fires on {hits:,} of {tokens:,} tokens."


def score_text(found: WatchedText) -> str:
    """Return how high a monitor's score goes, and from where on it fires."""
    highest = f"{max(found.scores):.3g}" if found.scores else "none"
    return f"Its highest score is {highest}; it fires above {found.threshold:.3g}."
