"""Which tokens of a text are a feature's own: what shows that a text has turned towards it."""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.features.reading.reader import FeatureIndex


def own_tokens(index: FeatureIndex, feature: int, ids_T: Tensor, acts_T: Tensor) -> Tensor:
    """Return (T,) bool: the tokens on which a feature fires, and those that it promotes most.

    `acts_T`: its activations as the model reads the text without steering. The promoted ones are
    those that the feature's page lists.
    """
    promoted = index.array("logits/top_ids")
    own_T = acts_T > 0
    if promoted is not None:
        listed = torch.from_numpy(promoted[feature].astype("int64")).to(ids_T.device)
        own_T = own_T | torch.isin(ids_T, listed)
    return own_T
