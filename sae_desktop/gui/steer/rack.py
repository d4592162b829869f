"""The rack of sliders as plain values: what is set to what, how and where. Free of Qt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from sae_desktop.steering.config import (
    DecoderRow,
    Direction,
    Intervention,
    MeanDifference,
    Mode,
    RandomDirection,
    Where,
)
from sae_desktop.steering.gate_config import Gate, gate_text
from sae_desktop.words.amounts import elide_middle

LIMIT = 10.0
"""Largest strength either way at first, in multiples of the feature's maximum: beyond it comes
nonsense."""
LIMITS = (1.0, LIMIT, 100.0)
STEPS = 40
"""Steps of a slider from one end to the other."""
Positions = Where | Literal["tokens"]
"""On which tokens the sliders work; “tokens”: on those a person has chosen."""
Key = int | str
"""What tells the sliders of a rack apart: a feature's number, or another's, or a direction, in
words."""
_TEXT = 24
_MOST_NUMBERS = 10_000


class RackEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One slider: a feature, or a direction. Off, it is left alone; on at 0, held at nothing.

    With `stop` it has no strength: while it is on, it ends the text.
    """

    feature: int | None = None
    index: str = ""
    """Of the feature; empty: the open one."""
    index_hash: str = ""
    """Of that index's dictionary when the feature was chosen."""
    direction: Direction | None = None
    """Where there is no feature."""
    strength: float = 0.0
    on: bool = False
    when: Gate | None = None
    """It works only on tokens on which this is open; None: on all."""
    stop: Gate | None = None
    """The text ends where this fires."""

    @property
    def key(self) -> Key:
        if self.stop is not None:
            return f"stop:{self.stop!r}"
        if self.feature is None:
            return repr(self.direction)
        return f"{self.index}:{self.feature}" if self.index else self.feature

    @property
    def title(self) -> str:
        """What it is, where it is not a feature of the open index, in a few words."""
        if self.feature is not None:
            return f"#{self.feature} of the index {self.index}"
        return "" if self.direction is None else direction_title(self.direction)


Rack = tuple[RackEntry, ...]


class How(msgspec.Struct, frozen=True, kw_only=True):
    """What all sliders of a rack do, and where."""

    mode: Mode = "clamp"
    place: Positions = "all"
    start: int = 0
    tokens: tuple[int, ...] = ()
    """The chosen ones, for the place “tokens”."""
    sites: tuple[str, ...] = ()
    """Sites beside the dictionary's own, for the mode “add”."""
    output: str = ""
    """The only one that is changed of the sites that features write; empty: all of them."""


def added(rack: Rack, entry: RackEntry) -> Rack:
    """Return the rack with one more slider; the same rack if there is one of its key."""
    return rack if any(known.key == entry.key for known in rack) else (*rack, entry)


def removed(rack: Rack, key: Key) -> Rack:
    """Return the rack without a slider."""
    return tuple(entry for entry in rack if entry.key != key)


def moved(rack: Rack, key: Key, strength: float, limit: float = LIMIT) -> Rack:
    """Return the rack with a slider on and at `strength`, kept within ± `limit`."""
    return _changed(rack, key, strength=min(max(strength, -limit), limit), on=True)


def limit_for(rack: Rack, wanted: float) -> float:
    """Return the limit to be shown: `wanted`, or the next that all sliders fit in."""
    most = max((abs(entry.strength) for entry in rack), default=0.0)
    return next((limit for limit in LIMITS if limit >= max(wanted, most)), LIMITS[-1])


def switched(rack: Rack, key: Key, on: bool) -> Rack:
    """Return the rack with a slider switched on or off, its strength kept."""
    return _changed(rack, key, on=on)


def reset(rack: Rack, key: Key) -> Rack:
    """Return the rack with a slider off and back in the middle."""
    return _changed(rack, key, strength=0.0, on=False)


def conditioned(rack: Rack, key: Key, gate: Gate | None) -> Rack:
    """Return the rack with a slider that works under a condition; None: at every token.

    Of what ends the text, the condition under which it does. The same rack where there is one that
    ends it there already.
    """
    stops = any(entry.key == key and entry.stop is not None for entry in rack)
    if not stops:
        return _changed(rack, key, when=gate)
    changed = _changed(rack, key, stop=gate)
    return changed if gate is not None and len({e.key for e in changed}) == len(rack) else rack


def soloed(rack: Rack, key: Key) -> Rack:
    """Return the rack with this slider alone on; with all on where it was alone already.

    What ends the text stays as it is.
    """
    alone = [entry.key for entry in rack if entry.on and entry.stop is None] == [key]
    return tuple(
        entry
        if entry.stop is not None
        else msgspec.structs.replace(entry, on=alone or entry.key == key)
        for entry in rack
    )


def _changed(rack: Rack, key: Key, **changes: object) -> Rack:
    return tuple(
        msgspec.structs.replace(entry, **changes) if entry.key == key else entry for entry in rack
    )


# ---------------------------------------------------------------- to and from interventions
def interventions(rack: Sequence[RackEntry], how: How) -> list[Intervention]:
    """Return what is changed: by the sliders that are on; nothing where no token is chosen."""
    chosen = how.place == "tokens"
    if chosen and not how.tokens:
        return []
    return [
        Intervention(
            feature=entry.feature,
            index=entry.index,
            index_hash=entry.index_hash,
            direction=entry.direction,
            strength=entry.strength,
            unit="maximum" if entry.direction is None else "norm",
            mode=how.mode,
            where="all" if how.place == "tokens" else how.place,
            start=0 if chosen else how.start,
            tokens=list(how.tokens) if chosen else [],
            # They are named after the open index's site.
            sites=list(how.sites) if how.mode == "add" and not entry.index else [],
            output="" if entry.index else how.output,
            when=entry.when,
        )
        for entry in rack
        if entry.on and entry.stop is None
    ]


def stops(rack: Sequence[RackEntry]) -> list[Gate]:
    """Return where the text ends: the conditions of what is on."""
    return [entry.stop for entry in rack if entry.on and entry.stop is not None]


def from_interventions(
    acts: Sequence[Intervention], gates: Sequence[Gate] = ()
) -> tuple[Rack, How]:
    """Return the rack that asks for what was asked, as far as sliders can.

    `gates`: those that end the text. `interventions` of it equals `acts` where they can show all
    of it.
    """
    rack = tuple(
        RackEntry(
            feature=act.feature,
            index=act.index,
            index_hash=act.index_hash,
            direction=act.direction if act.feature is None else None,
            strength=act.strength,
            on=True,
            when=act.when,
        )
        for act in acts
    ) + tuple(RackEntry(stop=gate, on=True) for gate in gates)
    if not acts:
        return rack, How()
    first = acts[0]
    return rack, How(
        mode=first.mode,
        place="tokens" if first.tokens else first.where,
        start=first.start,
        tokens=tuple(first.tokens),
        sites=tuple(first.sites),
        output=first.output,
    )


# ---------------------------------------------------------------- in words
def direction_title(direction: Direction) -> str:
    """Return a direction in a few words."""
    match direction:
        case RandomDirection(seed=seed):
            return f"Random direction {seed + 1}"
        case MeanDifference(on=on, off=off):
            return f"“{elide_middle(on[0], _TEXT)}” minus “{elide_middle(off[0], _TEXT)}”"
        case DecoderRow(dictionary=dictionary, feature=feature):
            return f"#{feature} of {dictionary}"


def acts_title(acts: Sequence[Intervention], gates: Sequence[Gate] = ()) -> str:
    """Return what is done to a model in a line: “clamp #158 2×, #3 −1×”.

    `gates`: those that end the text.
    """
    ends = [f"stop {gate_text(gate)}" for gate in gates]
    if not acts:
        return ", ".join(ends) or "plain"
    parts = []
    for act in acts:
        name = direction_title(act.direction) if act.direction is not None else ""
        what = f"#{act.feature}" if act.feature is not None else name
        if act.feature is not None and act.index:
            what += f" of {act.index}"
        unit = "×" if act.unit == "maximum" or act.mode == "multiply" else " norms"
        strength = f"{act.strength:g}".replace("-", "−")
        told = what if act.mode == "ablate" else f"{what} {strength}{unit}"
        parts.append(told if act.when is None else f"{told} {gate_text(act.when)}")
    return f"{acts[0].mode} {', '.join([*parts, *ends])}"


def parsed_numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of “2, 5-7” in order. Raises ValueError for anything else."""
    found: set[int] = set()
    for part in filter(None, re.split(r"[,\s]+", text.strip())):
        first, dash, last = part.partition("-")
        numbers = range(int(first), int(last if dash else first) + 1)
        if not numbers or len(numbers) > _MOST_NUMBERS:
            raise ValueError(part)
        found.update(numbers)
    return tuple(sorted(found))


def numbers_text(numbers: Sequence[int]) -> str:
    """Return numbers as `parsed_numbers` reads them, runs as “5-7”."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def found_features(text: str, features: int, labels: dict[int, str]) -> list[int]:
    """Return the features a text means: a number, or one of `labels` found for it; best first."""
    text = text.strip().casefold().removeprefix("#")
    if not text:
        return []
    if text.isdecimal() and int(text) < features:
        return [int(text)]
    named = [f for f, name in labels.items() if text in name.casefold() and f < features]
    return sorted(named, key=lambda f: (not labels[f].casefold().startswith(text), f))
