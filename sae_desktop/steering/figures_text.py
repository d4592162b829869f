"""A variant's figures in words, for the window and the command line. Free of torch and Qt."""

from __future__ import annotations

from sae_desktop.steering.config import VariantResult

_TOLD_REPETITION = 0.2


def figures_text(result: VariantResult) -> str:
    """Return a variant's figures in a line; nothing of one that was not compared."""
    parts = []
    if result.typical_strength is not None:
        parts.append(f"change of {result.typical_strength:.2f} typical norms")
    if result.perplexity is not None:
        parts.append(f"perplexity {result.perplexity:.3g} for the plain model")
    if result.kl is not None and result.typical_strength is not None:
        parts.append(f"KL {result.kl:.2f} nats per token")
    if result.repetition >= _TOLD_REPETITION:
        parts.append(f"{100 * result.repetition:.0f}% repeated")
    return " · ".join(parts)
