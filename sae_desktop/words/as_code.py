"""A job's config written out: as a command for a terminal, and as Python. Free of torch and Qt.

Both state whatever differs from the defaults, and both give the very config back. Kinds that have
a command of their own, every setting of which is an option, are written as that command; all
others, and what that command has no option for, as `sae-desktop run` with the config as JSON.
"""

from __future__ import annotations

import math
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from sae_desktop.activations.config import (
    DescribeStoreConfig,
    HarvestConfig,
    ImportActivationsConfig,
    VerifyStoreConfig,
)
from sae_desktop.comparison.config import MatchConfig
from sae_desktop.engine.protocol import JobConfig
from sae_desktop.features.config import (
    IndexConfig,
    MergeIndexesConfig,
    NameFeaturesConfig,
    ProbeConfig,
)
from sae_desktop.labels.scoring.config import ScoreLabelsConfig
from sae_desktop.labels.search.config import EmbedLabelsConfig
from sae_desktop.steering.effect_config import OutputEffectConfig
from sae_desktop.training.architecture_info import DescribeArchitecturesConfig
from sae_desktop.training.config import EvaluateConfig, TrainConfig

PROGRAM = "sae-desktop"
RUN = "run"
"""The command that takes any config."""


class _Own(NamedTuple):
    """The command of a kind of job."""

    words: tuple[str, ...]
    arguments: tuple[str, ...] = ("project",)
    """Fields that are arguments, in their order."""
    flags: Mapping[str, str] = {}
    """Fields whose option is called otherwise than they are."""
    always: tuple[str, ...] = ()
    """Fields that are stated even at their default, since the command would choose for itself."""
    without: tuple[str, ...] = ()
    """Fields that it has no option for."""


_OWN: dict[type[msgspec.Struct], _Own] = {
    HarvestConfig: _Own(
        ("harvest",), flags={"site": "--site", "sites": "--site"}, always=("site",)
    ),
    ImportActivationsConfig: _Own(("import-activations",), ("project", "file")),
    DescribeStoreConfig: _Own(("stores", "show"), ("project", "name"), without=("tokens",)),
    VerifyStoreConfig: _Own(("stores", "verify"), ("project", "name")),
    TrainConfig: _Own(
        ("train",),
        flags={"sites": "--site", "output_sites": "--output-site"},
        always=("target", "architecture", "k", "features", "tokens"),
        without=("stream",),
    ),
    EvaluateConfig: _Own(("evaluate",), without=("dead_rows",)),
    DescribeArchitecturesConfig: _Own(("architectures",), ()),
    IndexConfig: _Own(("index",)),
    MergeIndexesConfig: _Own(("merge-indexes",), flags={"indexes": "--index"}),
    ProbeConfig: _Own(
        ("probe",),
        flags={"pictures": "--picture"},
        without=("chat", "ids", "views", "features", "spill"),
    ),
    MatchConfig: _Own(("match",), flags={"dictionaries": "--dictionary"}),
    NameFeaturesConfig: _Own(("label",)),
    ScoreLabelsConfig: _Own(("score",), flags={"features": "--feature"}),
    EmbedLabelsConfig: _Own(("embed",)),
    OutputEffectConfig: _Own(
        ("output-effect",), flags={"features": "--feature"}, without=("prompts", "batch")
    ),
}


# ---------------------------------------------------------------- a command
def command(config: JobConfig) -> str:
    """Return the command that runs a job, quoted for a shell of this system."""
    words = [PROGRAM, *command_words(config)]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def command_words(config: JobConfig) -> list[str]:
    """Return the command's words after the program's name."""
    own = _OWN.get(type(config))
    if own is None or any(field in own.without for field in _stated(config)):
        return [RUN, msgspec.json.encode(_stated_data(config)).decode()]
    options = [
        word
        for field in dict.fromkeys([*_stated(config), *own.always])
        if field not in own.arguments
        for word in _option(own.flags.get(field, f"--{field.replace('_', '-')}"), config, field)
    ]
    arguments = [str(getattr(config, field)) for field in own.arguments]
    if any(argument.startswith("-") for argument in arguments):
        return [*own.words, *options, "--", *arguments]
    return [*own.words, *arguments, *options]


def _option(flag: str, config: JobConfig, field: str) -> Iterator[str]:
    value = getattr(config, field)
    if isinstance(value, bool):
        yield flag if value else f"--no-{flag[2:]}"
        return
    for one in value if isinstance(value, Sequence) and not isinstance(value, str) else [value]:
        # An option and a value that begins with a dash are one word, or it would be an option too.
        yield from [f"{flag}={one}"] if str(one).startswith("-") else [flag, str(one)]


def _stated(config: msgspec.Struct) -> list[str]:
    """Return the fields that differ from their defaults, and those without one."""
    return [
        field.name
        for field in msgspec.structs.fields(config)
        if field.required or getattr(config, field.name) != _default(field)
    ]


def _stated_data(value: Any) -> Any:
    """Return a config as plain data without what is at its default."""
    if isinstance(value, msgspec.Struct):
        told = type(value).__struct_config__
        tag = {} if told.tag is None else {str(told.tag_field): told.tag}
        return tag | {name: _stated_data(getattr(value, name)) for name in _stated(value)}
    if isinstance(value, Mapping):
        return {key: _stated_data(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_stated_data(one) for one in value]
    return value


def _default(field: Any) -> Any:
    made = field.default_factory
    return field.default if made is msgspec.NODEFAULT else made()


# ---------------------------------------------------------------- Python
def python(config: JobConfig) -> str:
    """Return Python that makes the config and runs the job, by `sae_desktop.api`."""
    project = str(getattr(config, "project", ""))
    imported = {struct.__name__ for struct in _structs(config)}
    imported.add("open_project" if project else "run")
    lines = [_import(sorted(imported, key=_as_sorted)), ""]
    if project:
        lines.append(f"project = open_project({str(Path(project))!r})")
    lines.append(f"config = {_written(config)}")
    lines.append("result = project.run(config)" if project else "result = run(config)")
    return "\n".join([*lines, ""])


def _import(names: list[str]) -> str:
    line = f"from sae_desktop.api import {', '.join(names)}"
    if len(line) <= 88:
        return line
    return "\n".join(["from sae_desktop.api import (", *(f"    {name}," for name in names), ")"])


def _as_sorted(name: str) -> tuple[bool, str]:
    """Classes before functions, as sorters of imports have it."""
    return (name[0].islower(), name)


def _structs(value: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(value, msgspec.Struct):
        yield type(value)
        for field in _stated(value):
            yield from _structs(getattr(value, field))
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _structs(one)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from _structs(one)


def _written(value: Any, indent: str = "") -> str:
    """Return Python that makes a value; a struct with more than a line of fields has one a line."""
    inner = indent + "    "
    if isinstance(value, msgspec.Struct):
        parts = [f"{name}={_written(getattr(value, name), inner)}" for name in _stated(value)]
        return _bracketed(f"{type(value).__name__}(", parts, ")", indent)
    if isinstance(value, Mapping):
        pairs = [f"{key!r}: {_written(one, inner)}" for key, one in value.items()]
        return _bracketed("{", pairs, "}", indent)
    if isinstance(value, tuple):
        parts = [_written(one, inner) for one in value]
        return f"({parts[0]},)" if len(parts) == 1 else _bracketed("(", parts, ")", indent)
    if isinstance(value, list):
        return _bracketed("[", [_written(one, inner) for one in value], "]", indent)
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    return repr(value)


def _bracketed(first: str, parts: list[str], last: str, indent: str) -> str:
    line = f"{first}{', '.join(parts)}{last}"
    if len(line) + len(indent) <= 80 and "\n" not in line:
        return line
    inner = indent + "    "
    return "\n".join([first, *(f"{inner}{part}," for part in parts), f"{indent}{last}"])
