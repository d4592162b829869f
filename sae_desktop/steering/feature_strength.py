"""The question `feature_strength`: at which strength one feature turns a text.

The same measure as that of the job `output_effect`, which asks it of every feature.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.reading.known_strength import KnownStrength
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import require_causal
from sae_desktop.steering.config import Sampling
from sae_desktop.steering.effect_config import (
    CONTINUED,
    FeatureStrengthConfig,
    FeatureStrengthResult,
)
from sae_desktop.steering.strength_search import known_strengths
from sae_desktop.steering.trials import Trial, Trials


def feature_strength(config: FeatureStrengthConfig, context: JobContext) -> FeatureStrengthResult:
    """Try one feature at several strengths. Raises UserError for one that never fired."""
    opened = open_index(config.project, config.index, config.device)
    require_causal(opened.lm, "Steering")
    feature = opened.index.check_feature(config.feature)
    if float(opened.index.columns["max_activation"][feature]) <= 0:
        raise UserError(
            f"Feature {feature} never fired on the indexed text, so it has no maximum to multiply.",
            next_step="Choose a feature with a density above 0.",
        )
    ((_, known),) = strengths_of(opened, [feature], 1, context)
    return FeatureStrengthResult(index=config.index, feature=feature, known=known)


def strengths_of(
    opened: OpenedIndex, features: Sequence[int], at_once: int, context: JobContext
) -> Iterator[tuple[int, KnownStrength]]:
    """Yield each feature with what its strengths do to the usual prompts, usually sampled."""
    prompts = [opened.bos + opened.lm.encode(text) for text in CONTINUED]
    trials = Trials(opened, prompts, Sampling())

    def tries(numbers: npt.NDArray[np.int64], strengths: Sequence[float]) -> list[Trial]:
        context.check_cancelled()
        return trials.tried(numbers, strengths)

    yield from known_strengths(features, tries, at_once)
