"""What the files of a format say, field by field, and what is done with each. Free of torch.

Each reader declares the fields its library knows in a `FieldTable`. `find` checks every dictionary
against its tables: a field that is not declared is reported to the person, and a value that changes
the mathematics and cannot be honoured is refused by the name of its field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sae_desktop.errors import UserError

Treatment = Literal["honoured", "converted", "refused", "reported", "no effect"]
_SHOWN = 8


@dataclass(frozen=True)
class Field:
    """A field and what is done with it."""

    treatment: Treatment
    what: str
    """What it means here; of a refused one, which values are refused and why."""
    refuses: Callable[[Any], bool] = lambda value: False
    """Whether a value changes the mathematics in a way that cannot be honoured."""
    tells: Callable[[Any], str] = lambda value: ""
    """What a person should know of a value; "" for nothing."""


def honoured(what: str, **rest: Any) -> Field:
    """What is computed follows it."""
    return Field("honoured", what, **rest)


def converted(what: str, **rest: Any) -> Field:
    """It becomes this project's own name or form."""
    return Field("converted", what, **rest)


def refused(what: str, refuses: Callable[[Any], bool] = bool) -> Field:
    """A value for which `refuses` is true is not read; any other has no effect."""
    return Field("refused", what, refuses)


def told(what: str, tells: Callable[[Any], str]) -> Field:
    """It is reported to the person."""
    return Field("reported", what, tells=tells)


def no_effect(what: str) -> Field:
    """It does not change what is computed."""
    return Field("no effect", what)


def no_effects(what: str, names: str) -> dict[str, Field]:
    """Return fields, separated by spaces, that have no effect for one reason."""
    return dict.fromkeys(names.split(), no_effect(what))


def one_of(*values: Any) -> Callable[[Any], bool]:
    """Return what refuses a value that is none of these; None is always one."""
    return lambda value: value is not None and value not in values


@dataclass(frozen=True)
class FieldTable:
    """The fields of one file of a format. A name with dots is that of a field inside another."""

    format: str
    place: str
    """The file, and which part of it."""
    fields: Mapping[str, Field]

    def unknown(self, values: Mapping[str, Any]) -> list[str]:
        """Return the names of fields that are not declared."""
        return [name for name, _ in self._flat(values) if name not in self.fields]

    def notes(self, values: Mapping[str, Any]) -> list[str]:
        """Return what a person should know of the values, and which fields are not known."""
        found = [
            note
            for name, value in self._flat(values)
            if name in self.fields and (note := self.fields[name].tells(value))
        ]
        if names := self.unknown(values):
            rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            one = len(names) == 1
            found.append(
                f"{self.place} has {'a field' if one else 'fields'} not known here: "
                f"{', '.join(names[:_SHOWN])}{rest}. If {'it changes' if one else 'they change'} "
                "what is computed, the activations here differ from those of its library."
            )
        return found

    def check(self, values: Mapping[str, Any], path: Path) -> None:
        """Raise UserError for a value that changes the mathematics and cannot be honoured."""
        for name, value in self._flat(values):
            known = self.fields.get(name)
            if known is not None and known.refuses(value):
                raise UserError(
                    f"“{path}” says {name}: {value!r}, which cannot be honoured here. {known.what}",
                    kept="Nothing was written.",
                    next_step="Convert it with the library that made it, or ask its maker for one "
                    "without it.",
                )

    def _flat(self, values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
        for key, value in values.items():
            name = f"{above}{key}"
            inside = any(known.startswith(f"{name}.") for known in self.fields)
            if isinstance(value, Mapping) and inside:
                yield from self._flat(value, f"{name}.")
            else:
                yield name, value


@dataclass(frozen=True)
class Told:
    """What one file said, and the table it is held to."""

    table: FieldTable
    values: Mapping[str, Any]
