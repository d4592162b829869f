"""The kinds of files and folders the program takes: in words, with their endings and their way in.

Of which kind something is, `exchange.recognise` tells; for which a config's field is meant, the
field says by `Takes`. Free of torch and Qt.
"""

from __future__ import annotations

import functools
import shlex
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

FileKind = Literal[
    "project", "model", "corpus", "pictures", "activations", "dictionary", "features", "labels",
    "package", "preset", "graph", "index", "store",
]  # fmt: skip


class KindInfo(NamedTuple):
    """What there is to know of a kind."""

    text: str
    """With its article, such as “a package of SAE Desktop”."""
    way_in: str
    """What to do with one, a sentence in which {} stands for its path, as a shell takes it."""
    plural: str = ""
    """Heads the files of that kind in a dialog."""
    endings: tuple[str, ...] = ()
    """Of its files, in lower case. Those of texts are in `corpus.names`."""
    folder: str = ""
    """What a folder of that kind is called, where it is not the same."""


PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
"""Endings of pictures' files, in lower case. What a file is, its first bytes tell."""
_DROP = "or drop it on Project in the window"
FILE_KINDS: dict[FileKind, KindInfo] = {
    "project": KindInfo(
        "a project",
        "Open it with “sae-desktop {}”, or name it as the PROJECT of a command.",
    ),
    "model": KindInfo(
        "a language model",
        f"Read texts with it: “sae-desktop harvest PROJECT --model {{}} --name NAME”, {_DROP}.",
        "GGUF models",
        (".gguf",),
    ),
    "corpus": KindInfo(
        "a text, such as a corpus is made of",
        f"Harvest it with “sae-desktop harvest PROJECT --corpus {{}} --name NAME”, {_DROP}.",
        "Texts and tables",
        folder="a folder of texts",
    ),
    "pictures": KindInfo(
        "a picture, an archive or a table of pictures",
        "Harvest them with “sae-desktop harvest PROJECT --pictures {} --model MODEL --name NAME”, "
        f"{_DROP}.",
        "Pictures, archives and tables of them",
        (
            *PICTURES,
            ".zip",
            ".tar",
            ".tgz",
            ".gz",
            ".bz2",
            ".xz",
            ".parquet",
            ".jsonl",
            ".json",
            ".csv",
            ".tsv",
            ".arrow",
        ),
        "a folder of pictures",
    ),
    "activations": KindInfo(
        "a file of activations",
        f"Import it with “sae-desktop import-activations PROJECT {{}} --name NAME”, {_DROP}.",
        "Matrices",
        (".npy", ".safetensors", ".h5", ".hdf5"),
    ),
    "dictionary": KindInfo(
        "a dictionary",
        f"Import it with “sae-desktop import PROJECT {{}}”, {_DROP}.",
        "Weights and archives",
        (".safetensors", ".npz", ".pt", ".pth", ".bin", ".zip"),
        folder="a folder of dictionaries",
    ),
    "features": KindInfo(
        "feature data of another program",
        f"Import it with “sae-desktop import PROJECT {{}}”, {_DROP}.",
    ),
    "labels": KindInfo(
        "a table of labels",
        f"Import it with “sae-desktop import PROJECT {{}} --index INDEX”, {_DROP}.",
        "Tables",
        (".csv", ".tsv", ".json", ".jsonl", ".parquet"),
        folder="a folder of explanations",
    ),
    "package": KindInfo(
        "a package of SAE Desktop",
        f"Open it with “sae-desktop import PROJECT {{}}”, {_DROP}.",
        "Packages",
        (".saepack",),
    ),
    "preset": KindInfo(
        "a preset for steering",
        "Load it under Presets in Steer, or copy it into the folder “presets” of the project and "
        "name it with “sae-desktop steer PROJECT --preset NAME”.",
        "Presets",
        (".json",),
    ),
    "graph": KindInfo(
        "an attribution graph of circuit-tracer",
        f"Import it with “sae-desktop trace import PROJECT {{}} --name NAME”, {_DROP}.",
        "Attribution graphs",
        (".json",),
    ),
    "index": KindInfo(
        "an index of a project",
        "Read it with “sae-desktop features {project} --index {name}”.",
    ),
    "store": KindInfo(
        "an activation store of a project",
        "Train on it with “sae-desktop train {project} --activations {name} --name NAME”.",
    ),
}
PROJECT_FILE = "project.toml"
PACKAGE_ENDING = FILE_KINDS["package"].endings[0]
WEIGHTS_ENDINGS = tuple(e for e in FILE_KINDS["dictionary"].endings if e != ".zip")
"""Of files of tensors: what a dictionary may lie in."""
ONLY_DICTIONARIES = tuple(
    ending
    for ending in FILE_KINDS["dictionary"].endings
    if ending not in FILE_KINDS["activations"].endings
)


class Takes(NamedTuple):
    """Of a config's field that names a file or folder: of which kinds it may be."""

    kinds: tuple[FileKind, ...]
    unless: str = ""
    """A field of the config: where it is filled, a person has said how to read the file."""


def takes(*kinds: FileKind, unless: str = "") -> Takes:
    """Return what goes beside a field's type: `file: Annotated[str, takes("package")]`."""
    return Takes(kinds, unless)


def way_in(kind: FileKind, path: Path) -> str:
    """Return what to do with a file or folder of a kind."""
    within = path.absolute().parent.parent
    project = shlex.quote(str(within)) if (within / PROJECT_FILE).is_file() else "PROJECT"
    name = shlex.quote(path.stem)
    return FILE_KINDS[kind].way_in.format(shlex.quote(str(path)), project=project, name=name)


def files_of(config: msgspec.Struct) -> Iterator[tuple[str, Takes]]:
    """Yield the files that a config names, and those of configs within it, with their kinds."""
    marks = taken_by(type(config))
    for field in config.__struct_fields__:
        value = getattr(config, field)
        mark = marks.get(field)
        if isinstance(value, msgspec.Struct):
            yield from files_of(value)
        elif mark is not None and value and not (mark.unless and getattr(config, mark.unless)):
            yield value, mark


@functools.cache
def taken_by(config: type[msgspec.Struct]) -> dict[str, Takes]:
    """Return of which kinds the files may be that a config's fields name."""
    hints = typing.get_type_hints(config, include_extras=True)
    found = {field: _mark(hints[field]) for field in config.__struct_fields__}
    return {field: mark for field, mark in found.items() if mark is not None}


def _mark(hint: Any) -> Takes | None:
    if typing.get_origin(hint) is not Annotated:
        return None
    return next((note for note in typing.get_args(hint) if isinstance(note, Takes)), None)
