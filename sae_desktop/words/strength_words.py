"""What is known of steering with features, in words, for the window and the command line."""

from __future__ import annotations

from sae_desktop.features.reading.known_strength import KnownStrength
from sae_desktop.steering.effect_config import OutputEffectResult
from sae_desktop.words.amounts import elapsed_text


def effects_text(result: OutputEffectResult) -> str:
    """Return what was measured of an index's features, in lines."""
    lines = [
        f"{result.features:,} features were measured on {result.prompts:,} prompts in "
        f"{elapsed_text(result.seconds)}.",
        f"Effect on the next token: median {result.median:.3g} nats, largest "
        f"{result.largest:.3g} nats.",
    ]
    told = strengths_text(result)
    return "\n".join([*lines, told] if told else lines)


def strengths_text(result: OutputEffectResult) -> str:
    """Return in a sentence how many features have a strength that works; "": not measured."""
    tried = result.works + result.breaks_first + result.too_little
    if not tried:
        return ""
    return (
        f"{result.works:,} of {tried:,} features have a strength that turns a text and leaves it "
        f"whole; {result.breaks_first:,} break the text before they turn it, and "
        f"{result.too_little:,} do too little at every strength tried."
    )


def safe_text(known: KnownStrength) -> str:
    """Return in a few words how far a feature's texts stay whole."""
    if not known.high and not known.low:
        return "breaks at every strength"
    low, high = (f"{end:g}×".replace("-", "−") for end in (known.low, known.high))
    return f"whole {low} to {high}"


def known_text(known: KnownStrength) -> str:
    """Return in sentences what is known of steering with a feature."""
    if known.suggested is not None:
        what = (
            f"At {known.suggested:g}× it turns a text and leaves it whole: {known.turn:.0%} more "
            "of the tokens are its own."
        )
    elif known.verdict == "breaks_first":
        what = "It breaks a text before it turns it."
    else:
        what = "It does too little at every strength tried."
    if not known.high and not known.low:
        return f"{what} Every strength tried breaks the text."
    low, high = (f"{end:g}×".replace("-", "−") for end in (known.low, known.high))
    return f"{what} Texts stay whole from {low} to {high}: the band on the slider."
