"""What calibration is asked, checked: which texts are on which side, whether there are enough."""

from __future__ import annotations

import math

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.safety.concept_set import read_set
from sae_desktop.safety.monitors.config import CalibrateMonitorConfig
from sae_desktop.safety.monitors.file import read_monitor
from sae_desktop.safety.monitors.fitting import Sides, parted
from sae_desktop.safety.monitors.guarantee import TooShortError

FEWEST = 2
"""Texts of a side from which something can be learnt."""
_PLACES = 10_000
"""A rate is offered in steps of 0.01%."""


def as_before(project: Project, config: CalibrateMonitorConfig) -> CalibrateMonitorConfig:
    """Return the config with index, model and site of the monitor it is to be like.

    Raises UserError where nothing says what is read.
    """
    if config.like:
        before = read_monitor(project, config.like)
        readout = before.readout
        model = "" if readout.index else config.model or before.model
        return msgspec.structs.replace(config, index=readout.index, model=model, site=readout.site)
    if not config.index and not (config.model and config.site):
        raise UserError(
            "A monitor needs an index, or a model and a site.",
            next_step="Choose the index of a dictionary; for a direction alone, a model and a "
            "site such as blocks.5.hook_resid_post.",
        )
    return config


def checked_sides(project: Project, config: CalibrateMonitorConfig) -> Sides:
    """Return the texts on both sides. Raises UserError for too few, and for texts on both."""
    sides = Sides(config.on, config.off, config.positives, config.negatives)
    if config.set:
        sides = _of_set(project, config, sides)
    both = {text.strip() for text in (*sides.on, *sides.positives)} & {
        text.strip() for text in (*sides.off, *sides.negatives)
    }
    if both:
        raise UserError(
            f"“{min(both)[:60]}” is among the texts of the concept and among those without it.",
            next_step="Remove it from one of them.",
        )
    if (sides.on or sides.off) and min(len(sides.on), len(sides.off)) < FEWEST:
        raise UserError(
            f"There are {len(sides.on)} texts of the concept and {len(sides.off)} without it; "
            f"each side needs at least {FEWEST} to learn from.",
            next_step="Add texts that differ from one another.",
        )
    if sides.on and not sides.positives:
        return parted(sides.on, sides.off, config.seed)
    return sides


def _of_set(project: Project, config: CalibrateMonitorConfig, given: Sides) -> Sides:
    """Return the texts of a concept set: those learnt from, and those held out of it.

    Raises UserError for a set beside texts of one's own.
    """
    if any(given):
        raise UserError(
            "A concept set and texts of one’s own were given.",
            next_step="Give one of them, or grow the set with your texts.",
        )
    found = read_set(project, config.set)

    def side(positive: bool, held_out: bool) -> list[str]:
        places = found.part(positive=positive, held_out=held_out, other=False)
        return [found.texts[place].text for place in places]

    return Sides(side(True, False), side(False, False), side(True, True), side(False, True))


def too_short(config: CalibrateMonitorConfig, error: TooShortError) -> UserError:
    """Return what is said of a calibration text too short for the promise."""
    found = max(error.blocks, 1)
    if config.method == "conformal":
        sure, possible, other = "", 1 / (found + 1), ""
    else:
        sure = f" with a confidence of {config.confidence:.0%}"
        possible = -math.expm1(math.log(1 - config.confidence) / found)
        other = ", or lower the confidence"
    offered = min(math.ceil(possible * _PLACES) / _PLACES, 1.0)
    return UserError(
        f"The calibration text is too short: to promise at most {config.rate:.2%} per "
        f"{config.unit}{sure} takes {error.needed:,} documents or chats, and there are "
        f"{error.blocks:,}.",
        kept="No monitor was written.",
        next_step=f"Add text{other}, or promise {offered:.2%}, the least that this text can back.",
    )
