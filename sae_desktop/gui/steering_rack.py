"""The rack of feature sliders as plain values: what is clamped to what. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sae_desktop.steering.config import Intervention, Mode, Where

LIMIT = 10.0
"""Largest strength either way at first, in multiples of the feature's maximum: beyond it comes
nonsense."""
LIMITS = (1.0, LIMIT, 100.0)
STEPS = 40
"""Steps of a slider from one end to the other."""


class RackEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One slider. Off, the feature is left alone; on at 0, it is held at nothing."""

    feature: int
    clamp: float = 0.0
    on: bool = False


Rack = tuple[RackEntry, ...]


def added(rack: Rack, feature: int) -> Rack:
    """Return the rack with a slider for `feature`, off; the same rack if there is one."""
    if any(entry.feature == feature for entry in rack):
        return rack
    return (*rack, RackEntry(feature=feature))


def removed(rack: Rack, feature: int) -> Rack:
    """Return the rack without the slider of `feature`."""
    return tuple(entry for entry in rack if entry.feature != feature)


def clamped(rack: Rack, feature: int, clamp: float, limit: float = LIMIT) -> Rack:
    """Return the rack with a feature on and held at `clamp`, kept within ± `limit`."""
    clamp = round(min(max(clamp, -limit), limit), 3)
    return _replaced(rack, RackEntry(feature=feature, clamp=clamp, on=True))


def limit_for(rack: Rack, wanted: float) -> float:
    """Return the limit to be shown: `wanted`, or the next that all sliders fit in."""
    most = max((abs(entry.clamp) for entry in rack), default=0.0)
    return next((limit for limit in LIMITS if limit >= max(wanted, most)), LIMITS[-1])


def switched(rack: Rack, feature: int, on: bool) -> Rack:
    """Return the rack with a feature switched on or off, its clamp kept."""
    return tuple(
        msgspec.structs.replace(entry, on=on) if entry.feature == feature else entry
        for entry in rack
    )


def reset(rack: Rack, feature: int) -> Rack:
    """Return the rack with a feature off and its slider back in the middle."""
    return _replaced(rack, RackEntry(feature=feature))


def interventions(
    rack: Sequence[RackEntry], mode: Mode = "clamp", where: Where = "all", start: int = 0
) -> list[Intervention]:
    """Return what the engine is told: the sliders that are on, in the mode of the rack."""
    return [
        Intervention(
            feature=entry.feature, strength=entry.clamp, mode=mode, where=where, start=start
        )
        for entry in rack
        if entry.on
    ]


def soloed(rack: Rack, feature: int) -> Rack:
    """Return the rack with this feature alone on; with all on where it was alone already."""
    alone = [entry.feature for entry in rack if entry.on] == [feature]
    return tuple(
        msgspec.structs.replace(entry, on=alone or entry.feature == feature) for entry in rack
    )


def _replaced(rack: Rack, changed: RackEntry) -> Rack:
    return tuple(changed if entry.feature == changed.feature else entry for entry in rack)


def found_features(text: str, features: int, labels: dict[int, str]) -> list[int]:
    """Return the features a text means: a number, or one of `labels` found for it; best first."""
    text = text.strip().casefold().removeprefix("#")
    if not text:
        return []
    if text.isdecimal() and int(text) < features:
        return [int(text)]
    named = [f for f, name in labels.items() if text in name.casefold() and f < features]
    return sorted(named, key=lambda f: (not labels[f].casefold().startswith(text), f))
