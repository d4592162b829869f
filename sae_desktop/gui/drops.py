"""What a file or folder that was dropped on the window is good for. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["project", "model", "corpus", "activations", "unknown"]

_TEXT = frozenset(
    {".txt", ".md", ".rst", ".jsonl", ".json", ".py", ".html", ".csv", ".tex", ".xz", ".gz"}
)
_MATRIX = frozenset({".npy", ".safetensors", ".h5", ".hdf5"})


@dataclass(frozen=True)
class Drop:
    kind: Kind
    path: Path
    reason: str = ""
    """For an unknown one: why."""


def classify(path: Path) -> Drop:
    """Tell a project, a model, a corpus and activations apart by name and content of folders."""
    if path.is_dir():
        if (path / "project.toml").is_file():
            return Drop("project", path)
        if (path / "config.json").is_file():
            return Drop("model", path)
        if any(p.suffix.lower() in _TEXT for p in path.iterdir() if p.is_file()):
            return Drop("corpus", path)
        return Drop("unknown", path, "The folder holds neither a model nor text files.")
    suffix = path.suffix.lower()
    if suffix == ".gguf":
        return Drop("model", path)
    if suffix in _MATRIX:
        return Drop("activations", path)
    if suffix in _TEXT:
        return Drop("corpus", path)
    return Drop(
        "unknown",
        path,
        "Models are folders or .gguf files, texts .txt or .jsonl, activations .npy, "
        ".safetensors or .h5.",
    )
