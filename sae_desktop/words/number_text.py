"""Figures as text, with units and as many digits as mean something. Free of Qt."""

from __future__ import annotations

import math

MINUS = "−"
THIN = "\u202f"


def count_text(count: float) -> str:
    """Return a whole number with its thousands set apart: 1,240,000."""
    return f"{round(count):,}"


def percent_text(share: float, digits: int = 3) -> str:
    """Return a share of 1 as a percentage with `digits` significant ones: 0.0123%."""
    percent = 100.0 * share
    if percent <= 0.0:
        return "0%"
    decimals = min(max(digits - 1 - math.floor(math.log10(percent)), 0), 8)
    return f"{percent:.{decimals}f}%"


def one_in_text(density: float) -> str:
    """Return how rare a feature is: "1 in 8,130"; "never" when it does not fire."""
    if density <= 0.0:
        return "never"
    times = 1.0 / density
    return f"1 in {times:.1f}" if times < 9.95 else f"1 in {count_text(times)}"


def signed_text(value: float, decimals: int = 2) -> str:
    """Return a figure with its sign always shown: +0.41, −1.20, 0.00."""
    text = f"{abs(value):.{decimals}f}"
    if float(text) == 0.0:
        return text
    return ("+" if value > 0 else MINUS) + text


def probability_text(probability: float) -> str:
    """Return a probability as a percentage of fixed decimals: 12.3%, <0.1%."""
    if 0.0 < probability < 0.0005:
        return "<0.1%"
    return f"{100.0 * probability:.1f}%"


def clamp_text(clamp: float) -> str:
    """Return a clamp in multiples of the feature's maximum: +2.5×, −1.0×, 0.0×."""
    return signed_text(clamp, 1) + "×"
