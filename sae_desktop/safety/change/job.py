"""The job `compare_checkpoints`: the same texts through each checkpoint, and what changed."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import Project, config_record
from sae_desktop.safety.change.change_file import ChangeInfo, FeatureContext, write_change
from sae_desktop.safety.change.config import CompareCheckpointsConfig, CompareCheckpointsResult
from sae_desktop.safety.change.crossing import cross
from sae_desktop.safety.change.measured import KnownFirst, Measured, measure
from sae_desktop.safety.change.telling import contexts, tokens
from sae_desktop.safety.concept_set import read_set

_FITS_WORSE = 1.25
"""Times the FVU on the first checkpoint: from there on the dictionary is said not to fit."""


def compare_checkpoints(
    config: CompareCheckpointsConfig,
    context: JobContext,
    writing: Callable[[], AbstractContextManager[None]] = nullcontext,
    known: KnownFirst | None = None,
) -> CompareCheckpointsResult:
    """Compare checkpoints and write what changed to changes/<name>.h5, within `writing`.

    `known`: of the first checkpoint, from an earlier comparison with the same settings.

    Raises UserError for fewer than two checkpoints, for such as are not of one model, for a
    dictionary of another one or of several sites, and for texts that are too few.
    """
    refuse_beyond_limits(config)
    began = time.monotonic()
    project = Project.open(config.project)
    path = project.change_path(config.name)
    if len(config.checkpoints) < 2:
        raise UserError(
            "A comparison needs at least two checkpoints.",
            next_step="Name the model that training started from, and at least one checkpoint.",
        )
    sets = [read_set(project, name) for name in config.traits]
    found = measure(config, sets, project, context, known or KnownFirst())
    arrays = {name: np.stack(rows) for name, rows in found.arrays.items()}
    kinds: dict[str, int] = {}
    crossed_contexts: list[FeatureContext] = []
    if config.crosscoder_features:
        crossed, kinds, crossed_contexts = cross(found, config, context)
        arrays |= crossed
    info = ChangeInfo(
        name=config.name,
        site=str(found.site),
        dictionary=config.dictionary,
        checkpoints=found.figures,
        traits=found.trait_figures,
        lens_tokens=[
            tokens(row, found.token_bytes, beyond)
            for row, beyond in zip(
                found.arrays["tokens/lens"], found.arrays["tokens/beyond"], strict=True
            )
        ],
        shift_tokens=[tokens(row, found.token_bytes) for row in found.arrays["tokens/shift"]],
        contexts=contexts(found),
        crosscoder_contexts=crossed_contexts,
        steered=found.steered,
        prompts=found.prompts,
        answers=found.answers,
        warnings=_warnings(found),
        texts=len(found.texts.ids_NS),
        context_size=config.context_size,
        seconds=time.monotonic() - began,
        read=found.read,
        config=config_record(config),
        made_at=datetime.datetime.now(datetime.UTC).replace(microsecond=0).isoformat(),
    )
    with writing():
        write_change(path, info, arrays)
    return CompareCheckpointsResult(
        name=info.name,
        site=info.site,
        checkpoints=info.checkpoints,
        kinds=kinds,
        warnings=info.warnings,
        seconds=info.seconds,
    )


def _warnings(found: Measured) -> list[str]:
    said = []
    first = found.figures[0]
    for figures in found.figures[1:]:
        if figures.fvu is None or first.fvu is None:
            continue
        if figures.fvu > _FITS_WORSE * first.fvu:
            said.append(
                f"The dictionary no longer fits “{figures.title}”: its FVU is {figures.fvu:.3f} "
                f"there and {first.fvu:.3f} on “{first.title}”. What its features say there is "
                "less certain."
            )
    return said
