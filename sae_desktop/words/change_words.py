"""What is said of checkpoints that are compared and watched. Free of Qt and torch."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

from sae_desktop.errors import UserError
from sae_desktop.safety.change.alerts import Calibration
from sae_desktop.safety.change.config import Alert, MonitorOnCheckpoint
from sae_desktop.safety.concept_file import read_file
from sae_desktop.safety.concept_set import set_path, shipped_sets
from sae_desktop.words.amounts import share_text
from sae_desktop.words.source_titles import model_title

_MEASURES = {
    "outputs": "the predictions on ordinary text",
    "first tokens": "the activations at the first tokens",
    "features": "the features that are active",
    "one feature": "the activation of the feature that moved most",
    "fit": "what the dictionary leaves unexplained",
}
_OF_TRAITS = {
    "trait": "how far ordinary text lies along the trait “{}”",
    "turn": "the direction of the trait “{}”",
    "probe": "the probe of the trait “{}”",
    "monitor": "the scores of the monitor “{}”",
}

_TITLES = {
    "outputs": "Predictions",
    "first tokens": "First tokens",
    "features": "Dictionary",
    "one feature": "One feature",
    "fit": "Fit",
}
_TITLES_OF = {
    "trait": "Text along “{}”",
    "turn": "Direction of “{}”",
    "probe": "Probe of “{}”",
    "monitor": "Scores of “{}”",
}
_UNITS = {
    "outputs": "KL, nats per token",
    "first tokens": "typical norms",
    "features": "share of all activation",
    "one feature": "standard deviations",
    "fit": "FVU",
    "trait": "distances between its texts",
    "turn": "degrees",
    "probe": "degrees",
    "monitor": "standard deviations",
}
_KINDS = {
    "dead": "never active",
    "shared": "shared by all models",
    "rotated": "in all models, but rotated",
    "exclusive": "in some models and absent from others",
    "doubtful": "that only look exclusive",
    "partial": "stronger in some models than in others",
}


def kind_words(kind: str) -> str:
    """Return what a kind of the crosscoder’s features is, after their number."""
    return _KINDS[kind]


@cache
def trait_title(name: str) -> str:
    """Return what a concept set that ships is called; of one’s own, its name."""
    if name in shipped_sets():
        with suppress(UserError):
            return read_file(set_path(None, name)[0]).title
    return name


def measure_words(measure: str) -> str:
    """Return what a score is of, such as “the predictions on ordinary text”."""
    if measure in _MEASURES:
        return _MEASURES[measure]
    kind, _, name = measure.partition(" ")
    return _OF_TRAITS.get(kind, "{}").format(_of_what(kind, name))


def measure_title(measure: str) -> str:
    """Return what a score is called above a column: the way of looking that it belongs to."""
    if measure in _TITLES:
        return _TITLES[measure]
    kind, _, name = measure.partition(" ")
    return _TITLES_OF.get(kind, "{}").format(_of_what(kind, name))


def measure_unit(measure: str) -> str:
    """Return the unit of a score, such as “degrees”."""
    return _UNITS.get(measure) or _UNITS.get(measure.partition(" ")[0], "")


def _of_what(kind: str, name: str) -> str:
    return name if kind == "monitor" else trait_title(name)


def alert_sentence(alert: Alert) -> str:
    """Return what changed, how sure that is, and since when."""
    return (
        f"Alert: between “{model_title(alert.since)}” and “{alert.checkpoint}”, "
        f"{measure_words(alert.measure)} changed {alert.ratio:.1f} times as much as in the usual "
        f"harmless run at most (an alert begins at {alert.threshold:.1f}). Of harmless runs, "
        f"{share_text(alert.p)} or fewer come as far; {share_text(alert.promised)} was promised."
    )


def monitor_sentence(found: MonitorOnCheckpoint, checkpoint: str) -> str:
    """Return how often a monitor fires on a checkpoint, beside its promise and its own model."""
    low, high = found.rate_interval
    told = (
        f"The monitor “{found.monitor}” fires on {share_text(found.rate)} of {found.units}s of "
        f"“{checkpoint}” (95% interval {share_text(low)} to {share_text(high)}); on the model it "
        f"was made with on {share_text(found.rate_before)}, and {share_text(found.promised)} was "
        "promised."
    )
    if not found.drifted:
        return told
    return (
        f"{told} Its scores have drifted (p = {found.drift_p:.2g}), so its promise does not extend "
        "to this checkpoint: calibrate it again there."
    )


def promise_sentence(calibration: Calibration | None, watched: int) -> str:
    """Return what the alerts of a watch promise, and where that ends."""
    if calibration is None:
        return (
            "No alert is raised: without a calibration nobody knows how much harmless training "
            "changes. Watch harmless runs, then calibrate."
        )
    told = (
        f"Of harmless runs of this kind, at most {share_text(calibration.rate)} raise an alert, as "
        f"far as they are such as the {len(calibration.runs)} that set the threshold."
    )
    if watched > calibration.checkpoints:
        told += (
            f" That holds up to {calibration.checkpoints} checkpoints, as the harmless runs had; "
            f"this one has {watched}."
        )
    return told
