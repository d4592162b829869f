"""A folder as the formats look at it: which files of tensors and which configs are there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.formats.fields import Told
from sae_desktop.dictionary.formats.weights_file import WeightsFile, look_into
from sae_desktop.errors import UserError
from sae_desktop.file_kinds import WEIGHTS_ENDINGS

_MOST_CONFIG = 16 * 2**20
"""Bytes of a config; they have some kilobytes."""


@dataclass(frozen=True)
class Found:
    """A dictionary that can be read."""

    format: str
    """The library's name."""
    path: Path
    """The file of its weights, or their folder."""
    architecture: str
    """In the library's word."""
    width: int
    features: int
    read: Callable[[], Dictionary]
    model: str = ""
    site: str = ""
    """"" where the files do not say it."""
    site_out: str = ""
    """Of a transcoder: what it writes."""
    notes: tuple[str, ...] = ()
    """What a person should know: what was assumed, what is missing."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What else the library says of it, by this project's names."""
    modules: tuple[tuple[str, str], ...] = ()
    """Sites, each with the path of the module whose input or output the library says it is."""
    lacks_value_biases: bool = False
    """Whether what it reads or writes at attn.hook_z lacks the biases of the model's values: it
    is then to be shifted by them."""
    told: tuple[Told, ...] = ()
    """What its files say, each with the table of fields it is held to."""


class FolderView:
    """One folder; nothing is read before it is asked for."""

    def __init__(self, path: Path, only: Path | None = None) -> None:
        """`only`: one file of the folder that is meant, with the configs beside it."""
        self.path = path
        self._only = only

    @cached_property
    def weights(self) -> list[WeightsFile]:
        """The files of tensors in it, by name. Raises UserError for a damaged one."""
        if self._only is not None:
            return [look_into(self._only)]
        return [look_into(path) for path in weights_paths(self.path)]

    def with_name(self, name: str) -> WeightsFile | None:
        """Return the file of tensors of a name, if it is there."""
        return next((file for file in self.weights if file.path.name == name), None)

    def config(self, *names: str) -> dict[str, Any]:
        """Return the first JSON or YAML config of these names, here; {} where there is none.

        Raises UserError for one that cannot be read.
        """
        return read_config(self.path, names)

    def config_above(self, *names: str) -> dict[str, Any]:
        """Return the config of these names here or in the folder above."""
        for folder in (self.path, self.path.parent):
            if found := read_config(folder, names):
                return found
        return {}


def weights_paths(folder: Path) -> list[Path]:
    """Return the files of tensors in a folder, by name."""
    return sorted(
        path for path in folder.iterdir()
        if path.suffix in WEIGHTS_ENDINGS and path.is_file() and not path.name.startswith(".")
    )  # fmt: skip


def read_config(folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the first of these configs in a folder; {} where there is none."""
    for name in names:
        path = folder / name
        if not path.is_file():
            continue
        try:
            if path.stat().st_size > _MOST_CONFIG:
                raise ValueError("it is not a config: it is over 16 MB")
            text = path.read_text(encoding="utf-8")
            found = yaml.safe_load(text) if path.suffix in (".yaml", ".yml") else json.loads(text)
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            raise UserError(
                f"“{path}” cannot be read: {error}.",
                next_step="Download it again, or restore it from a copy.",
            ) from error
        if not isinstance(found, dict):
            raise UserError(f"“{path}” holds a {type(found).__name__}, not settings.")
        return found
    return {}
