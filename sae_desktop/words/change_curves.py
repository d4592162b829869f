"""What is drawn over checkpoints: curves, controls, thresholds. Free of Qt and torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sae_desktop.safety.change.alerts import Calibration
from sae_desktop.safety.change.change_file import Change
from sae_desktop.safety.change.config import WatchedCheckpoint
from sae_desktop.words.change_words import measure_unit, measure_words, trait_title

Values = Sequence[float | None]


@dataclass(frozen=True)
class Line:
    """A value for each checkpoint."""

    name: str
    values: Values
    control: bool = False
    """What chance alone gives: drawn dashed."""


@dataclass(frozen=True)
class Figure:
    """What can be plotted over checkpoints."""

    title: str
    unit: str
    explanation: str
    lines: tuple[Line, ...]
    threshold: float | None = None
    """Above it an alert is raised."""
    from_zero: bool = True
    """It is the size of a change: the axis begins at 0, so that a small one looks small."""


def change_figures(change: Change) -> list[Figure]:
    """Return what can be plotted of a comparison."""
    told = change.info.checkpoints
    since = [None, *(one.kl for one in told[1:])]
    found = [
        Figure(
            "Predictions", "KL, nats per token",
            "How differently each checkpoint and the one before predict the next token.",
            (Line("since the checkpoint before", since),),
        ),
        Figure(
            "First tokens", "typical norms",
            "Length of the mean difference from the first checkpoint at the first five tokens.",
            (Line("from the first checkpoint", [one.difference for one in told]),),
        ),
    ]  # fmt: skip
    if any(one.fvu is not None for one in told):
        found += _of_dictionary(change)
    traits = change.info.traits
    for place, trait in enumerate(traits[0] if traits else []):
        rows = [row[place] for row in traits]
        found.append(
            Figure(
                f"Trait “{trait_title(trait.trait)}”", "degrees",
                "How far its direction, and the probe beside it, have turned from those on the "
                "first checkpoint.",
                (
                    Line("direction", [row.angle for row in rows]),
                    Line("probe", [row.probe_angle for row in rows]),
                    Line(
                        "two draws of its texts", [row.angle_by_chance for row in rows],
                        control=True,
                    ),
                ),
            )
        )  # fmt: skip
    found.append(
        Figure(
            "Loss", "nats per token", "Of the checkpoint on the texts that were read.",
            (Line("loss", [one.loss for one in told]),), from_zero=False,
        )
    )  # fmt: skip
    return found


def _of_dictionary(change: Change) -> list[Figure]:
    told = change.info.checkpoints
    return [
        Figure(
            "Features that changed", "features",
            "Those whose mean activation differs from the first checkpoint’s, corrected for all.",
            (
                Line("dictionary", [one.changed_features for one in told]),
                Line("random directions", [one.changed_random for one in told], control=True),
            ),
        ),
        Figure(
            "Fit of the dictionary", "FVU",
            "The share of the variance that the dictionary leaves unexplained. Where it rises, the "
            "dictionary no longer fits, and what its features say is less certain.",
            (
                Line("dictionary", [one.fvu for one in told]),
                Line("random directions", [one.random_fvu for one in told], control=True),
            ),
        ),
    ]  # fmt: skip


def watch_figures(
    watched: Sequence[WatchedCheckpoint], calibration: Calibration | None
) -> list[Figure]:
    """Return what can be plotted of a watch; with a calibration its height comes first."""
    names = list(dict.fromkeys(name for one in watched for name in one.scores))
    found = []
    if calibration is not None:
        heights = [_height(one.scores, calibration) for one in watched]
        found.append(
            Figure(
                "Largest of all scores", "× harmless runs",
                "The largest score of each checkpoint, in units of the largest that harmless runs "
                "usually reach. An alert is raised above the line.",
                (Line("largest score", heights),), calibration.threshold,
            )
        )  # fmt: skip
    for name in names:
        unit = calibration.units.get(name) if calibration is not None else None
        threshold = None if unit is None or calibration is None else unit * calibration.threshold
        said = measure_words(name)
        found.append(
            Figure(
                said[:1].upper() + said[1:], measure_unit(name),
                "The size of the change since the checkpoint before.",
                (Line("change", [one.scores.get(name) for one in watched]),), threshold,
            )
        )  # fmt: skip
    return found


def _height(scores: dict[str, float], calibration: Calibration) -> float | None:
    told = [scores[name] / unit for name, unit in calibration.units.items() if name in scores]
    return max(told) if told else None
