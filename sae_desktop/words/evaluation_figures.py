"""The figures of an evaluation beside those of the random control. Free of Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sae_desktop.training.config import EvaluateResult
from sae_desktop.words.amounts import exact_count, figure_text, share_text


@dataclass(frozen=True)
class EvaluationRow:
    """One figure of the dictionary and of random directions; "–" where there is none."""

    title: str
    value: str
    control: str
    tip: str = ""


_FIGURES = (
    ("l0", "L0", lambda v: figure_text(v, 1), "Average number of features active on a row"),
    ("fvu", "FVU", figure_text, "Fraction of the variance unexplained"),
    ("explained_variance", "Explained variance", share_text, "1 − FVU"),
    ("cosine", "Cosine", figure_text, "Average similarity of a row and its reconstruction"),
    ("shrinkage", "Shrinkage", figure_text, "1: activations are the size that fits best"),
    ("nearest_cosine", "Nearest cosine", figure_text, "Median cosine to the nearest other feature"),
    (
        "dead_fraction",
        "Dead",
        share_text,
        "Never fired on the evaluated rows",
    ),
    ("dense_fraction", "Dense", share_text, "Features that fire on more than a tenth of the rows"),
    ("loss_recovered", "Loss recovered", share_text, "Measured against zero ablation"),
    ("loss_recovered_mean", "… from mean ablation", share_text, "A stricter measure"),
    ("kl", "KL", lambda v: figure_text(v, 4), "In nats, from the model’s predictions"),
    ("loss_clean", "Loss of the model", figure_text, "In nats per token, with nothing spliced in"),
    (
        "loss_spliced",
        "… with the dictionary",
        figure_text,
        "The dictionary’s output in place of the site",
    ),
    ("loss_zero", "… with zeros", figure_text, "Zeros in place of the site’s values"),
    ("loss_mean", "… with the mean", figure_text, "The mean row in place of the site’s values"),
)


def evaluation_rows(found: EvaluateResult) -> list[EvaluationRow]:
    """Return the figures that were measured, in the order they are read."""
    rows = []
    for field, title, text, tip in _FIGURES:
        value, control = getattr(found, field, None), getattr(found.control, field, None)
        if _known(value) or _known(control):
            spread = getattr(found.control_spread, field, None)
            beside = text(control) if _known(control) else "–"
            if _known(control) and _known(spread):
                beside += f" ± {text(spread)}"
            rows.append(EvaluationRow(title, text(value) if _known(value) else "–", beside, tip))
    return rows


def evaluation_text(found: EvaluateResult) -> str:
    """Return on what the figures were measured."""
    text = (
        f"On {exact_count(found.rows)} rows; dead features are those silent on "
        f"{exact_count(found.dead_window)} rows."
    )
    if found.excluded_rows:
        text += f" {exact_count(found.excluded_rows)} massive rows were left out."
    if found.control_spread is not None:
        text += f" Random directions: mean ± standard deviation of {found.control_seeds} draws."
    return text


def verdict(found: EvaluateResult) -> str:
    """Return a warning where random directions do about as well; empty otherwise."""
    control = found.control
    if control is None or not (control.fvu > 0 and math.isfinite(control.fvu)):
        return ""
    if found.fvu > 0.9 * control.fvu:
        return "Random directions do about as well: this dictionary has learned little."
    return ""


def _known(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
