"""What each way of looking at checkpoints saw, beside what chance gives. Free of Qt and torch.

The cheap ways come first: whoever needs a dictionary or a trait should know what they add to a
comparison of the predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from sae_desktop.safety.change.change_file import Change
from sae_desktop.safety.change.config import CheckpointFigures
from sae_desktop.words.amounts import exact_count, signed_text
from sae_desktop.words.change_words import trait_title
from sae_desktop.words.source_titles import model_title

SEEN, NOT_SEEN, NO_YARDSTICK = "beyond chance", "as by chance", "no yardstick"
_SURE = 0.01
_FEWEST_STEPS = 3
"""From so many steps on one can stand out from the others."""


@dataclass(frozen=True)
class Way:
    """One way of looking, and what it says of a checkpoint."""

    title: str
    found: str
    chance: str
    verdict: str
    tip: str
    score: str
    """The key of the score by which its steps are measured; empty: it has none."""
    step: int | None = None
    """The checkpoint at which its largest step ends."""
    stands_out: float | None = None
    """That step in multiples of the median of the others; None where there are too few."""


def titles_of(change: Change) -> list[str]:
    """Return what the checkpoints are called, from the first on."""
    return [model_title(one.title) for one in change.info.checkpoints]


def named(change: Change) -> Change:
    """Return the comparison with models and traits called as a person knows them: for a page."""
    replace, info = msgspec.structs.replace, change.info
    checkpoints = [replace(one, title=model_title(one.title)) for one in info.checkpoints]
    traits = [[replace(one, trait=trait_title(one.trait)) for one in row] for row in info.traits]
    return Change(replace(info, checkpoints=checkpoints, traits=traits), change.arrays)


def steps_of(change: Change, score: str) -> list[float]:
    """Return a score of every checkpoint but the first."""
    return [one.scores.get(score, 0.0) for one in change.info.checkpoints[1:]]


def ways(change: Change, checkpoint: int) -> list[Way]:
    """Return what each way says of a checkpoint, compared with the first."""
    one = change.info.checkpoints[checkpoint]
    found = [_predictions(one), _first_tokens(one)]
    if "features/size" in change.arrays:
        found += _dictionary(change, one)
    traits = change.info.traits[checkpoint] if change.info.traits else []
    for trait in traits:
        name, title = trait.trait, trait_title(trait.trait)
        found.append(
            Way(
                f"Direction of “{title}”",
                f"turned by {trait.angle:.0f}°",
                f"{trait.angle_by_chance:.0f}° between draws of texts",
                SEEN if trait.angle > trait.angle_by_chance else NOT_SEEN,
                "The direction from the means of the texts without the trait to those with it, "
                "beside the one on the first checkpoint",
                f"turn {name}",
            )
        )
        moved = abs(trait.projection) > trait.projection_random and trait.projection_p <= _SURE
        found.append(
            Way(
                f"Text along “{title}”",
                f"moved by {signed_text(trait.projection, 3)}",
                f"random: 95% below {trait.projection_random:.3f}; p = {trait.projection_p:.2g}",
                SEEN if moved else NOT_SEEN,
                "How far ordinary text lies from where it lay, along the trait’s first direction: "
                "1 is the distance of texts with the trait from those without. 95% of random "
                "directions move less far; p is how often random signs come as far",
                f"trait {name}",
            )
        )
        found.append(
            Way(
                f"Probe of “{title}”",
                f"turned by {trait.probe_angle:.0f}°",
                "turns in harmless training, too",
                NO_YARDSTICK,
                "A logistic regression on raw activations, trained on each checkpoint: the cheap "
                "rival of the trait’s direction",
                f"probe {name}",
            )
        )
    return [_with_step(change, way) for way in found]


def _predictions(one: CheckpointFigures) -> Way:
    return Way(
        "Predictions",
        f"KL {one.kl:.3g} since the one before",
        "never 0 in training",
        NO_YARDSTICK,
        "How differently the checkpoint and the one before predict the next token of ordinary "
        "text, in nats per token: the cheapest way",
        "outputs",
    )


def _first_tokens(one: CheckpointFigures) -> Way:
    sure = one.difference_p <= _SURE and one.difference_agreement > 0
    return Way(
        "First tokens",
        f"{one.difference:.3g} typical norms",
        f"random signs as long: p = {one.difference_p:.2g}",
        SEEN if sure else NOT_SEEN,
        "The mean difference of activations from the first checkpoint at the first five tokens of "
        "ordinary text, which often names what a fine-tune was for",
        "first tokens",
    )


def _dictionary(change: Change, one: CheckpointFigures) -> list[Way]:
    whole = change.arrays["features/size"].shape[1]
    return [
        Way(
            "Dictionary",
            f"{exact_count(one.changed_features)} of {exact_count(whole)} features changed",
            f"{exact_count(one.changed_random)} of as many random directions",
            SEEN if one.changed_features > one.changed_random else NOT_SEEN,
            "Features whose mean activation on ordinary text differs from the first checkpoint’s, "
            "corrected for all of them; the random directions fire as often",
            "features",
        )
    ]


def _with_step(change: Change, way: Way) -> Way:
    steps = steps_of(change, way.score)
    if not steps:
        return way
    place = int(np.argmax(steps))
    others = [value for number, value in enumerate(steps) if number != place]
    usual = float(np.median(others)) if len(steps) >= _FEWEST_STEPS else 0.0
    return Way(
        way.title, way.found, way.chance, way.verdict, way.tip, way.score, place + 1,
        steps[place] / usual if usual > 0 else None,
    )  # fmt: skip


def clearest(found: Sequence[Way]) -> Way | None:
    """Return the way whose largest step stands out most from its others; None of two models."""
    told = [way for way in found if way.stands_out is not None]
    return max(told, key=lambda way: way.stands_out or 0.0) if told else None


def most_named_step(found: Sequence[Way]) -> tuple[int, int] | None:
    """Return the checkpoint at which most ways have their largest step, and how many have."""
    steps = [way.step for way in found if way.step is not None]
    if not steps:
        return None
    step = max(sorted(set(steps)), key=steps.count)
    return step, steps.count(step)


def summary(change: Change) -> list[str]:
    """Return what changed, how sure that is, since when, and which way of looking saw it."""
    titles = titles_of(change)
    last = len(titles) - 1
    found = ways(change, last)
    seen = [way for way in found if way.verdict == SEEN]
    measured = [way for way in found if way.verdict != NO_YARDSTICK]
    differs = f"“{titles[last]}” differs from “{titles[0]}” by more than chance"
    ways_told = f"{len(measured)} ways of looking that have a yardstick"
    if seen:
        told = [f"{differs} in {len(seen)} of {ways_told}."]
        told.append("; ".join(f"{w.title}: {w.found} ({w.chance})" for w in seen[:3]) + ".")
    else:
        told = [f"None of {ways_told} says that {differs}."]
    if last > 1:
        told.append(_since(found, titles))
    return told


def _since(found: Sequence[Way], titles: Sequence[str]) -> str:
    named = most_named_step(found)
    if named is None:
        return ""
    step, count = named
    told = (
        f"The largest step lies between “{titles[step - 1]}” and “{titles[step]}” for {count} of "
        f"{len([way for way in found if way.step is not None])} ways"
    )
    best = clearest(found)
    if best is None or best.step is None:
        return f"{told}."
    where = "the same one" if best.step == step else f"the one to “{titles[best.step]}”"
    return (
        f"{told}. The step that stands out most is {where}, in this way: {best.title}, "
        f"{best.stands_out:.1f} times its usual step. Whether that is more than harmless training "
        "does, only a watch with a calibration says."
    )
