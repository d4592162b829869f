"""What a comparison found, in the model's own words: tokens, and features in their contexts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.safety.change.change_file import FeatureContext, TokenScore
from sae_desktop.safety.change.measured import Measured

Array = npt.NDArray[Any]
LISTED = 50
_FEATURES = 20
_AROUND = 8


def tokens(scores_V: Array, names: Sequence[bytes]) -> list[TokenScore]:
    """Return the tokens with the largest scores; none where all are alike."""
    if not np.ptp(scores_V) > 0:
        return []
    order = np.argsort(-scores_V, kind="stable")[:LISTED]
    return [TokenScore(token_text(names[token]), float(scores_V[token])) for token in order]


def contexts(found: Measured) -> list[FeatureContext]:
    """Return where the features that changed most fire most, on the first and last checkpoint."""
    if found.dictionary is None or len(found.readings) < 2:
        return []
    changed = np.argsort(-np.abs(found.arrays["features/size"][-1]), kind="stable")[:_FEATURES]
    ids = torch.from_numpy(changed.copy())
    told = []
    for checkpoint in (0, len(found.readings) - 1):
        x_NSD = found.readings[checkpoint].x_NSD[:, found.texts.measured]
        with torch.no_grad():
            f_NSF = torch.stack([found.dictionary.encode_features(x, ids) for x in x_NSD])
        for column, feature in enumerate(changed.tolist()):
            f_NS = f_NSF[..., column]
            text, token = divmod(int(f_NS.argmax()), f_NS.shape[1])
            if float(f_NS[text, token]) <= 0:
                continue
            around = slice(max(0, token - _AROUND), token + _AROUND + 1)
            shown = found.token_text[text][found.texts.measured]
            told.append(
                FeatureContext(
                    feature=feature,
                    checkpoint=checkpoint,
                    tokens=shown[around],
                    activations=[float(value) for value in f_NS[text, around]],
                )
            )
    return told
