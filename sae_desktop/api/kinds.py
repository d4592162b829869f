"""The kinds of job there are, and their configs."""

from __future__ import annotations

import functools
import os
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from sae_desktop.described import Setting, settings
from sae_desktop.engine.protocol import JobConfig
from sae_desktop.engine.registry import JOB_KINDS
from sae_desktop.errors import UserError


@dataclass(frozen=True)
class Kind:
    """One kind of job."""

    name: str
    """The tag of its config, such as “train”: `{"type": "train", …}` in JSON."""
    config: type[msgspec.Struct]
    """What it is asked with."""
    result: type[msgspec.Struct]
    """What it returns."""
    writes: bool
    """Whether it changes the project."""
    elsewhere: bool
    """Whether it writes outside of the project: files that were named, the person's own keys."""
    resumes: bool
    """Whether it continues where it ended when it is run again with the same config."""
    told: str
    """What it does, in a sentence."""

    @property
    def settings(self) -> dict[str, Setting]:
        """What is said of its settings, by field: title, description, heading."""
        return settings(self.config)


def job_kinds() -> dict[str, Kind]:
    """Return every kind of job by its name."""
    return dict(_kinds())


@functools.cache
def _kinds() -> dict[str, Kind]:
    found = {}
    for config, kind in JOB_KINDS.items():
        name = str(config.__struct_config__.tag)
        told = (config.__doc__ or kind.verb).strip().partition("\n")[0]
        found[name] = Kind(
            name, config, kind.result, kind.writes, kind.elsewhere, kind.resumes, told
        )
    return dict(sorted(found.items()))


def config_from(data: Mapping[str, Any]) -> JobConfig:
    """Return the config that plain data state, such as `{"type": "probe", "index": "i", …}`.

    Raises UserError that names the field that is wrong or unknown.
    """
    name = data.get("type")
    kind = _kinds().get(str(name))
    if kind is None:
        raise UserError(
            f"There is no kind of job “{name}”.",
            next_step=f"The kinds are {', '.join(_kinds())}.",
        )
    config: JobConfig = checked(kind.config, {key: data[key] for key in data if key != "type"})
    return config


def checked(config: type[msgspec.Struct], fields: Mapping[str, Any]) -> Any:
    """Return a config of these fields. Raises UserError that names the one that is wrong."""
    known = config.__struct_fields__
    for field in fields:
        if field not in known:
            raise UserError(
                f"{config.__name__} has no field “{field}”.",
                next_step=f"Its fields are {', '.join(known)}.",
            )
    try:
        given = {**msgspec.to_builtins(dict(fields), enc_hook=_plain), **_tag(config)}
        return msgspec.convert(given, config)
    except (msgspec.ValidationError, TypeError) as error:
        # Such as “Expected `int`, got `str` - at `$.k`”.
        raise UserError(
            f"{config.__name__} cannot be made: {str(error).replace('`$.', '`')}."
        ) from error


def _plain(value: Any) -> Any:
    """Return a path or a number of NumPy's as the config has it."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return os.fspath(value)  # raises TypeError for whatever else it is


def _tag(config: type[msgspec.Struct]) -> dict[str, Any]:
    told = config.__struct_config__
    return {} if told.tag is None else {str(told.tag_field): told.tag}


@functools.cache
def config_types() -> dict[str, type[msgspec.Struct]]:
    """Return the configs of all kinds of job and the structs that stand in them, by name."""
    found: dict[str, type[msgspec.Struct]] = {}
    waiting: list[type[msgspec.Struct]] = list(JOB_KINDS)
    while waiting:
        one = waiting.pop()
        if found.setdefault(one.__name__, one) is not one:
            raise TypeError(f"two structs are called {one.__name__}")
        for hint in typing.get_type_hints(one).values():
            waiting += [inner for inner in structs_in(hint) if inner.__name__ not in found]
    return found


def structs_in(hint: Any) -> Iterator[type[msgspec.Struct]]:
    """Yield the structs that a type is made of, such as `Variant` of `list[Variant]`."""
    parts = typing.get_args(hint)
    if not parts and isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for part in parts:
        yield from structs_in(part)
