"""The figures of an evaluation beside those of the random control. Free of Qt."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sae_desktop.training.config import EvaluateResult
from sae_desktop.words.amounts import exact_count, figure_text, share_text


@dataclass(frozen=True)
class EvaluationRow:
    """One figure of the dictionary and of random directions; "–" where there is none."""

    title: str
    value: str
    control: str


_FIGURES: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("l0", "L0", lambda v: figure_text(v, 1)),
    ("fvu", "FVU", figure_text),
    ("explained_variance", "Explained variance", share_text),
    ("cosine", "Cosine", figure_text),
    ("shrinkage", "Shrinkage", figure_text),
    ("nearest_cosine", "Nearest cosine", figure_text),
    ("dead_fraction", "Dead", share_text),
    ("dense_fraction", "Dense", share_text),
    ("loss_recovered", "Loss recovered", share_text),
    ("loss_recovered_mean", "… from mean ablation", share_text),
    ("kl", "KL", lambda v: figure_text(v, 4)),
    ("loss_clean", "Loss of the model", figure_text),
    ("loss_spliced", "… with the dictionary", figure_text),
    ("loss_zero", "… with zeros", figure_text),
    ("loss_mean", "… with the mean", figure_text),
)


def evaluation_rows(found: EvaluateResult) -> list[EvaluationRow]:
    """Return the figures that were measured, in the order they are read."""
    rows = []
    for field, title, text in _FIGURES:
        value, control = getattr(found, field, None), getattr(found.control, field, None)
        if _known(value) or _known(control):
            spread = getattr(found.control_spread, field, None)
            beside = text(control) if _known(control) else "–"
            if _known(control) and _known(spread):
                beside += f" ± {text(spread)}"
            shown = text(value) if _known(value) else "–"
            rows.append(EvaluationRow(title, shown, beside))
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
