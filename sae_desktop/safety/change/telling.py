"""What a comparison found, in the model's own words: tokens, and features in their contexts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.language_model.text.token_text import token_text
from sae_desktop.safety.change.change_file import FeatureContext, TokenScore
from sae_desktop.safety.change.measured import Measured

Array = npt.NDArray[Any]
LISTED = 50
LONGEST = 100
"""Features of one kind of the crosscoder of which contexts are kept."""
_FEATURES = 20
_ROWS = 2048
_AROUND = 8


def tokens(
    scores_V: Array, names: Sequence[bytes], beyond_V: Array | None = None
) -> list[TokenScore]:
    """Return the tokens with the largest scores; none where all are alike.

    `beyond_V`: how far each lies beyond what random directions give.
    """
    if not np.ptp(scores_V) > 0:
        return []
    order = np.argsort(-scores_V, kind="stable")[:LISTED]
    return [
        TokenScore(
            token_text(names[token]),
            float(scores_V[token]),
            None if beyond_V is None else float(beyond_V[token]),
        )
        for token in order
    ]


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
            told.append(_context(found, feature, checkpoint, text, token, f_NS[text]))
    return told


def _context(
    found: Measured, feature: int, checkpoint: int, text: int, token: int, f_S: Tensor
) -> FeatureContext:
    around = slice(max(0, token - _AROUND), token + _AROUND + 1)
    shown = found.token_text[text][found.texts.measured]
    return FeatureContext(
        feature=feature,
        checkpoint=checkpoint,
        tokens=shown[around],
        activations=[float(value) for value in f_S[around]],
    )


@torch.no_grad()
def crosscoder_contexts(
    found: Measured, crosscoder: Dictionary, kind_F: Array, density_F: Array, left_out_T: Array
) -> list[FeatureContext]:
    """Return where the features fire most, of each kind those that are most often active.

    It reads all checkpoints at once, so no context is of one of them. `left_out_T`: tokens whose
    rows it was not trained on.
    """
    ranked = np.argsort(-density_F, kind="stable")
    ranked = ranked[density_F[ranked] > 0]
    asked = [ranked[kind_F[ranked] == kind][:LONGEST] for kind in np.unique(kind_F[ranked])]
    ids = torch.from_numpy(np.concatenate([*asked, np.zeros(0, np.int64)]))
    rows_TI = torch.cat(
        [one.x_NSD[:, found.texts.measured].flatten(0, 1) for one in found.readings], dim=1
    )
    f_TF = torch.cat([crosscoder.encode_features(x, ids) for x in torch.split(rows_TI, _ROWS)])
    f_TF[torch.from_numpy(left_out_T)] = 0.0
    length = found.texts.ids_NS[:, found.texts.measured].shape[1]
    told = []
    for column, feature in enumerate(ids.tolist()):
        text, token = divmod(int(f_TF[:, column].argmax()), length)
        f_S = f_TF[text * length : (text + 1) * length, column]
        if float(f_S[token]) > 0:
            told.append(_context(found, feature, -1, text, token, f_S))
    return told
