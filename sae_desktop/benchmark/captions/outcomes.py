"""Captions counted: how many changed, name the concept, have fallen apart. Free of torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from sae_desktop.benchmark.captions.config import (
    CAPTION_WAYS,
    CaptionCounts,
    CaptionPair,
    CaptionRow,
    CaptionWay,
    SettingTried,
    Share,
    Tokens,
)
from sae_desktop.benchmark.intervals import share_of

_PAIRS = 3
_Key = TypeVar("_Key")


class Setting(NamedTuple):
    """One way of changing captions."""

    way: CaptionWay
    where: Tokens | None
    strength: float


class Written(NamedTuple):
    """A caption."""

    text: str
    broken: bool
    log_probability: float | None
    """The mean of its tokens' under the plain model; None of an empty one."""


class Outcome(NamedTuple):
    """One caption with a setting, beside the plain one of the same picture."""

    concept: str
    picture: str
    place: int
    """Of the picture among those of its concept: settings are chosen on those with even ones."""
    setting: Setting
    plain: Written
    changed: Written
    named_before: bool
    named: bool


def counted(outcomes: Sequence[Outcome]) -> CaptionCounts:
    """Return what became of some captions."""
    return CaptionCounts(
        changed=share([one.changed.text != one.plain.text for one in outcomes]),
        named=share([one.named for one in outcomes if not one.named_before]),
        broken=share([one.changed.broken for one in outcomes]),
        log_probability=mean_log_probability(one.changed for one in outcomes),
    )


def share(told: Sequence[bool]) -> Share:
    """Return for how many something holds, with its interval."""
    if not told:
        return Share(count=0, of=0, low=0.0, high=1.0)
    found = share_of(np.array(told, np.float64))
    low, high = found.low or 0.0, 1.0 if found.high is None else found.high
    return Share(count=sum(told), of=len(told), low=low, high=high)


def mean_log_probability(written: Iterable[Written]) -> float | None:
    """Return the mean over captions; None where all are empty."""
    known = [one.log_probability for one in written if one.log_probability is not None]
    return sum(known) / len(known) if known else None


def rows_of(outcomes: Sequence[Outcome]) -> list[CaptionRow]:
    """Return every concept with every setting, in the order in which they were tried."""
    return [
        CaptionRow(
            concept=concept,
            way=setting.way,
            where=setting.where,
            strength=setting.strength,
            counts=counted(of_row),
            pairs=_pairs(of_row),
        )
        for (concept, setting), of_row in _grouped(
            outcomes, lambda one: (one.concept, one.setting)
        ).items()
    ]


def _pairs(outcomes: Sequence[Outcome]) -> list[CaptionPair]:
    def rank(one: Outcome) -> tuple[bool, bool, bool]:
        told = one.named and not one.named_before
        return not told, one.changed.text == one.plain.text, one.changed.broken

    return [
        CaptionPair(picture=one.picture, plain=one.plain.text, changed=one.changed.text)
        for one in sorted(outcomes, key=rank)[:_PAIRS]
    ]


def settings_of(outcomes: Sequence[Outcome]) -> list[SettingTried]:
    """Return every setting over all concepts, on all pictures."""
    grouped = _grouped(outcomes, lambda one: one.setting)
    return [_tried(setting, of_setting) for setting, of_setting in grouped.items()]


def ways_of(outcomes: Sequence[Outcome]) -> list[SettingTried]:
    """Return each way at the setting that names the concepts most often on even pictures.

    Counted on the others. Among equals the one with fewer broken captions is chosen, then the
    weaker one.
    """
    found = []
    for way in CAPTION_WAYS:
        own = [one for one in outcomes if one.setting.way == way]
        settings = _grouped([one for one in own if one.place % 2 == 0], lambda one: one.setting)
        if settings:
            best = min(settings, key=lambda setting: _rank(setting, settings[setting]))
            rest = [one for one in own if one.place % 2 == 1 and one.setting == best]
            found.append(_tried(best, rest))
    return found


def _rank(setting: Setting, outcomes: Sequence[Outcome]) -> tuple[float, int, float]:
    counts = counted(outcomes)
    named = counts.named.count / max(counts.named.of, 1)
    return -named, counts.broken.count, setting.strength


def _tried(setting: Setting, outcomes: Sequence[Outcome]) -> SettingTried:
    return SettingTried(
        way=setting.way, where=setting.where, strength=setting.strength, counts=counted(outcomes)
    )


def _grouped(
    outcomes: Sequence[Outcome], key: Callable[[Outcome], _Key]
) -> dict[_Key, list[Outcome]]:
    found: dict[_Key, list[Outcome]] = {}
    for one in outcomes:
        found.setdefault(key(one), []).append(one)
    return found
