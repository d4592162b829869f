"""(d) A crosscoder over the checkpoints, its features told apart, and what other seeds find.

M checkpoints, C features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sae_desktop.dictionary.normalisation import massive_rows
from sae_desktop.jobs import JobContext
from sae_desktop.safety.change.change_file import KINDS, FeatureContext
from sae_desktop.safety.change.config import CompareCheckpointsConfig
from sae_desktop.safety.change.crosscoder import stable, train_crosscoder
from sae_desktop.safety.change.measured import Measured
from sae_desktop.safety.change.telling import crosscoder_contexts
from sae_desktop.safety.change.told_apart import tell_apart

Array = npt.NDArray[Any]


def cross(
    found: Measured, config: CompareCheckpointsConfig, context: JobContext
) -> tuple[dict[str, Array], dict[str, int], list[FeatureContext]]:
    """Return the arrays of the crosscoder, how many features are of each kind, and contexts."""
    rows = [reading.x_NSD[:, found.texts.measured].flatten(0, 1) for reading in found.readings]
    massive = np.zeros(len(rows[0]), bool)
    for x_TD in rows:
        massive |= massive_rows(x_TD.norm(dim=1).numpy())
    rows = [x_TD[torch.from_numpy(~massive)] for x_TD in rows]
    trained = []
    for number in range(config.crosscoder_seeds):
        trained.append(
            train_crosscoder(
                rows,
                features=config.crosscoder_features,
                steps=config.crosscoder_steps,
                sparsity=config.crosscoder_sparsity,
                seed=config.seed + number,
                context=context,
                first=number * config.crosscoder_steps,
                total=config.crosscoder_seeds * config.crosscoder_steps,
            )
        )
    steps = config.crosscoder_seeds * config.crosscoder_steps
    context.progress(steps, steps, "steps", "Telling the features of the crosscoder apart")
    told = tell_apart(trained[0], torch.cat(rows, dim=1))
    arrays = {
        "norm": told.norms_FM, "scaling": told.scaling_FM, "depends": told.depends_FM,
        "cosine": told.cosine_F, "density": told.density_F, "kind": told.kind_F,
        "birth": told.birth_F, "death": told.death_F, "stable": stable(trained[0], trained[1:]),
    }  # fmt: skip
    counts = np.bincount(told.kind_F.numpy(), minlength=len(KINDS)).tolist()
    return (
        {f"crosscoder/{name}": values.numpy() for name, values in arrays.items()},
        dict(zip(KINDS, counts, strict=True)),
        crosscoder_contexts(
            found, trained[0], told.kind_F.numpy(), told.density_F.numpy(), massive
        ),
    )
