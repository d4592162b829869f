"""A project in which everything has been made, by the real jobs, from a toy model."""

from __future__ import annotations

from pathlib import Path

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train

SITE = "blocks.1.hook_resid_post"
ROWS, FEATURES = 6000, 64
LABELLED, LABEL = 5, "a label"


def make_small_project(folder: Path, model: Path) -> Path:
    """Make the project `folder` with the store `acts`, the dictionary `dict`, the index `idx`."""
    path = str(Project.open_or_create(folder).path)
    harvest(
        HarvestConfig(
            project=path, name="acts", model=str(model), site=SITE, tokens=ROWS,
            context_size=64, device="cpu",
        ),
        SilentContext(),
    )  # fmt: skip
    train(
        TrainConfig(
            project=path, name="dict", activations="acts", features=FEATURES, k=8,
            tokens=20_000, batch=256, device="cpu",
        ),
        SilentContext(),
    )  # fmt: skip
    build_index(
        IndexConfig(project=path, dictionary="dict", name="idx", device="cpu"), SilentContext()
    )
    notes = Notes(folder / "notes.sqlite")
    notes.save("dict", FeatureNote(feature=LABELLED, label=LABEL))
    notes.close()
    return folder
