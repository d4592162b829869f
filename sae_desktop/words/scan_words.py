"""What is said of a scan. Free of Qt and torch."""

from __future__ import annotations

from sae_desktop.safety.scan.config import Area, Effect, SetScan

METHOD_TITLES = {
    "best feature": "best feature",
    "sparse classifier on features": "classifier on features",
    "difference of means": "difference of means",
    "logistic regression on raw activations": "logistic on raw",
    "logistic regression on raw means": "logistic on raw means",
    "best random direction": "random direction",
}
"""Short, for the heads of columns."""


def area_text(area: Area) -> str:
    """Return an area with its interval, such as “.87 (.71–.95)”."""
    return f"{_short(area.area)} ({_short(area.low)}–{_short(area.high)})"


def _short(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def p_text(p: float) -> str:
    """Return a p-value with as many digits as it is worth."""
    return "<.001" if p < 0.001 else _short(p) if p >= 0.1 else f"{p:.3f}".removeprefix("0")


def verdict_text(one: SetScan) -> str:
    """Return who tells the set's texts better, with the interval of the difference."""
    between = (
        f"{one.difference:+.2f}, {one.difference_low:+.2f} to {one.difference_high:+.2f}"
    ).replace("-", "−")
    if one.verdict == "no difference":
        return f"no clear difference ({between})"
    ahead = one.best if one.verdict == "dictionary" else one.rival
    return f"{one.verdict}: {ahead} ({between})"


def effect_text(effect: Effect) -> str:
    """Return what ablating and clamping do, beside the changes along other directions."""
    least, most = min(effect.ablated_controls), max(effect.ablated_controls)
    ablated = f"{effect.ablated:+.3f} (others {least:+.3f} to {most:+.3f})"
    clamped = f"{effect.clamped:.2f} (others up to {max(effect.clamped_controls):.2f})"
    acts = "acts" if effect.acts else "only reads"
    return f"{ablated}; {clamped}; {acts}".replace("-", "−")
