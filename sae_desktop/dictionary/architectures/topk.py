"""TopK (Gao et al., 2024): the k largest positive pre-activations of each row."""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.dictionary.architectures._k_sparse import KSparse
from sae_desktop.dictionary.batch_mates import ALONE, BatchMates
from sae_desktop.dictionary.dictionary import Dictionary, largest_of_each_row
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.dictionary.selection import EncoderBlocks, Kept, largest_per_row


class TopK(KSparse):
    """Inference keeps the k largest of each row too, so it needs no threshold."""

    title = "TopK"
    summary = "Keeps the k largest activations of every row."

    def kept(self, pre_TF: Tensor) -> Tensor:
        return largest_of_each_row(pre_TF, round(self.k_now))

    def select(self, blocks: EncoderBlocks, mates: BatchMates = ALONE) -> Kept:
        del mates
        return largest_per_row(blocks, round(self.k_now))

    def folded(self, source: Affine, target: Affine) -> Dictionary:
        dictionary = super().folded(source, target)
        dictionary.k = self.setup.k
        if len(self.setup.parts) > 1:
            # Parts of different scales would give the rows different norms, and folding those
            # in changes which k are the largest: the rows keep the lengths of training.
            norms = (self.parameters["W_dec"].detach() / target.scale).norm(dim=1)
            gain = norms.mean() / norms.clamp_min(torch.finfo(norms.dtype).tiny)
            dictionary.W_enc *= gain
            dictionary.b_enc *= gain
            dictionary.W_dec /= gain[:, None]
        return dictionary
