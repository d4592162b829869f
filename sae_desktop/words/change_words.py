"""What is said of checkpoints that are compared and watched. Free of Qt and torch."""

from __future__ import annotations

from sae_desktop.safety.change.config import Alert
from sae_desktop.words.amounts import share_text

_MEASURES = {
    "outputs": "the predictions on ordinary text",
    "first tokens": "the activations at the first tokens",
    "features": "the features that are active",
    "one feature": "one feature",
    "fit": "what the dictionary leaves unexplained",
}
_OF_TRAITS = {
    "trait": "how far ordinary text lies along the trait “{}”",
    "turn": "the direction of the trait “{}”",
    "probe": "the probe of the trait “{}”",
}


def measure_words(measure: str) -> str:
    """Return what a score is of, such as “the predictions on ordinary text”."""
    if measure in _MEASURES:
        return _MEASURES[measure]
    kind, _, trait = measure.partition(" ")
    return _OF_TRAITS.get(kind, "{}").format(trait)


def alert_sentence(alert: Alert) -> str:
    """Return what changed, how sure that is, and since when."""
    return (
        f"Alert: between “{alert.since}” and “{alert.checkpoint}”, {measure_words(alert.measure)} "
        f"changed {alert.ratio:.1f} times as much as harmless training usually changes it at most "
        f"(an alert begins at {alert.threshold:.1f}). Of harmless runs, "
        f"{share_text(alert.p)} or fewer come as far; {share_text(alert.promised)} was promised."
    )
