"""A project with a toy model's activations, a dictionary on them and its index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toy_models import TEXT

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train

FEATURES = 48
SITE = "blocks.1.hook_resid_post"


def make_toy_index(
    folder: Path,
    model: Path,
    texts: Sequence[str] = (),
    *,
    tokens: int = 1500,
    training: int = 15_000,
    indexed: bool = True,
) -> Project:
    """Harvest, train and, unless told otherwise, index into a new project; the index is “i”.

    Without `texts`, documents are pieces of one text.
    """
    text = folder / "text"
    text.mkdir()
    pieces = [TEXT[number * 9 :] + TEXT[: 60 * number] for number in range(8)]
    for number, piece in enumerate(texts or pieces):
        (text / f"{number}.txt").write_text(piece)
    project = Project.open_or_create(folder / "p")
    path, context = str(project.path), SilentContext()
    harvest(
        HarvestConfig(
            project=path, name="acts", model=str(model), corpus=str(text), site=SITE,
            tokens=tokens, context_size=32, batch_tokens=128,
        ),
        context,
    )  # fmt: skip
    train(
        TrainConfig(
            project=path, name="d", activations="acts", features=FEATURES, k=4,
            tokens=training, batch=256,
        ),
        context,
    )  # fmt: skip
    if indexed:
        build_index(IndexConfig(project=path, dictionary="d", name="i", context_tokens=12), context)
    return project
