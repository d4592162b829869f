"""A small model that reads pictures, and what the sweep of kills does with it."""

from __future__ import annotations

from pathlib import Path

from toy_pictures import noise_picture, save_picture_model

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.benchmark.kinds.config import ConceptKindsConfig
from sae_desktop.features.config import IndexConfig
from sae_desktop.training.config import TrainConfig

_DRAWN = ("1f40e", "1f434", "1f408", "1f431", "1f697", "1f33b")
"""Two horses, two cats and what is neither, called as drawings of emoji are."""
_TOKENS = 170
"""Of 195: the last picture is left to who harvests more."""


def save_pictures(material: Path) -> None:
    """Write the model `eyes` and the folder `drawings`, with words beside some."""
    save_picture_model(material / "eyes", "llava")
    folder = material / "drawings"
    folder.mkdir()
    for number, code in enumerate(_DRAWN):
        noise_picture(28 + 7 * number, 28, seed=number).save(folder / f"{code}.png")
        if number % 2:
            (folder / f"{code}.txt").write_text("a horse and the cat " * number)


def harvest_pictures(project: str, material: Path, name: str) -> HarvestConfig:
    return HarvestConfig(
        project=project, name=name, model=str(material / "eyes"),
        pictures=str(material / "drawings"), site="blocks.1.hook_resid_post", tokens=_TOKENS,
        keep_pictures=True, context_size=200, batch_tokens=64, commit_seconds=0.0, device="cpu",
    )  # fmt: skip


def seen(project: str, material: Path) -> tuple[HarvestConfig, TrainConfig, IndexConfig]:
    """Return what makes the store, the dictionary and the index called “seen”."""
    return (
        harvest_pictures(project, material, "seen"),
        TrainConfig(
            project=project, name="seen", activations="seen", features=16, k=4, batch=64,
            tokens=320, metric_rows=64, device="cpu",
        ),
        IndexConfig(
            project=project, dictionary="seen", name="seen", coactivation=False, neuron_rows=0,
            map=False, device="cpu",
        ),
    )  # fmt: skip


def concept_kinds(project: str, material: Path) -> ConceptKindsConfig:
    return ConceptKindsConfig(
        project=project, index="seen", concepts=("horse", "cat"), learn=("en",),
        pictures=(str(material / "drawings"),), device="cpu",
    )  # fmt: skip
