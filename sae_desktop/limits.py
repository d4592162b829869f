"""Bounds of a job's settings, stated once, next to the types of the config's fields.

The job, the command line and the window's forms all read them here. They are not `msgspec.Meta`,
because a record of an older run must stay readable whatever it holds. Free of torch and Qt.
"""

from __future__ import annotations

import functools
import math
import typing
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import msgspec

from sae_desktop.errors import UserError


class Limits(NamedTuple):
    """What a number may be; None: no bound on that side."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    """It is larger than this."""
    below: float | None = None
    """It is smaller than this."""

    def allow(self, value: float) -> bool:
        """Return whether a number is within the bounds; NaN and infinity never are."""
        return (
            math.isfinite(value)
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    @property
    def words(self) -> str:
        """What it must be, such as “between 0 and 1”."""
        if self.least is not None and self.most is not None:
            return f"between {self.least:,g} and {self.most:,g}"
        parts = []
        if self.least is not None:
            parts.append(f"at least {self.least:,g}")
        if self.above is not None:
            parts.append(f"more than {self.above:,g}")
        if self.most is not None:
            parts.append(f"at most {self.most:,g}")
        if self.below is not None:
            parts.append(f"less than {self.below:,g}")
        return " and ".join(parts) or "a finite number"

    def refusal(self, value: float) -> str:
        """A sentence on what it must be, for a number that is not allowed."""
        finite = math.isfinite(value) or self == Limits()
        return (
            f"It must be {self.words}." if finite else f"It must be a finite number, {self.words}."
        )


class Unused(NamedTuple):
    """Of a field that holds a config: which of its settings mean nothing there."""

    fields: frozenset[str]


Count = Annotated[int, Limits(least=1)]
CountOrNone = Annotated[int, Limits(least=0)]
"""A count, or 0 for none, for all or for what is usual."""
Seed = Annotated[int, Limits(least=0)]
AtLeast0 = Annotated[float, Limits(least=0)]
AtLeast1 = Annotated[float, Limits(least=1)]
Positive = Annotated[float, Limits(above=0)]
Share = Annotated[float, Limits(least=0, most=1)]
ShareAbove0 = Annotated[float, Limits(above=0, most=1)]
ShareBelow1 = Annotated[float, Limits(least=0, below=1)]
ShareWithin = Annotated[float, Limits(above=0, below=1)]
ContextSize = Annotated[int, Limits(least=4)]
"""Tokens of a window: fewer leave no room for a text beside special tokens."""
Folds = Annotated[int, Limits(least=2)]


def limits(config: type[msgspec.Struct], field: str) -> Limits | None:
    """Return what a field's numbers may be; None where it holds no number."""
    return _limits_of(config)[field]


@functools.cache
def _limits_of(config: type[msgspec.Struct]) -> dict[str, Limits | None]:
    hints = typing.get_type_hints(config, include_extras=True)
    return {field: _of_hint(hints[field]) for field in config.__struct_fields__}


def _of_hint(hint: Any) -> Limits | None:
    return next(_numbers(hint), None)


@functools.cache
def _unused_of(config: type[msgspec.Struct]) -> dict[str, frozenset[str]]:
    hints = typing.get_type_hints(config, include_extras=True)
    return {
        field: meta.fields
        for field, hint in hints.items()
        for meta in getattr(hint, "__metadata__", ())
        if isinstance(meta, Unused)
    }


def _numbers(hint: Any) -> Iterator[Limits]:
    """Yield the bounds of the numbers within a hint."""
    if hint in (int, float):
        yield Limits()
        return
    if typing.get_origin(hint) is Annotated:
        inner, *notes = typing.get_args(hint)
        stated = [note for note in notes if isinstance(note, Limits)]
        yield from stated or _numbers(inner)
        return
    if typing.get_origin(hint) is not typing.Literal:
        for part in typing.get_args(hint):
            yield from _numbers(part)


def beyond_limits(config: msgspec.Struct) -> dict[str, str]:
    """Return field → what it must be, of those whose numbers are outside their bounds."""
    return {field: bounds.refusal(value) for field, value, bounds in _beyond(config)}


def refuse_beyond_limits(config: msgspec.Struct) -> None:
    """Raise UserError that names the first setting that is outside its bounds."""
    for field, value, bounds in _beyond(config):
        raise UserError(
            f"The setting {field} = {value} is out of range.",
            kept="Nothing was changed.",
            next_step=bounds.refusal(value),
        )


def _beyond(config: msgspec.Struct) -> Iterator[tuple[str, float, Limits]]:
    """Yield (field, number, bounds) of each that is outside, in configs within this one too."""
    for field, bounds in _limits_of(type(config)).items():
        value = getattr(config, field)
        for one in value if isinstance(value, tuple | list) else (value,):
            if isinstance(one, msgspec.Struct):
                unused = _unused_of(type(config)).get(field, frozenset())
                yield from (found for found in _beyond(one) if found[0] not in unused)
            elif bounds is not None and isinstance(one, int | float) and not bounds.allow(one):
                yield field, one, bounds
