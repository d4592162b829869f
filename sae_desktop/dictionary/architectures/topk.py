"""TopK (Gao et al., 2024): the k largest positive pre-activations of each row."""

from __future__ import annotations

from torch import Tensor

from sae_desktop.dictionary.architectures._k_sparse import KSparse
from sae_desktop.dictionary.dictionary import Dictionary, largest_of_each_row
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.dictionary.selection import EncoderBlocks, Kept, largest_per_row


class TopK(KSparse):
    """Inference keeps the k largest of each row too, so it needs no threshold."""

    title = "TopK"
    summary = "Keeps the k largest activations of every row."

    def kept(self, pre_TF: Tensor) -> Tensor:
        return largest_of_each_row(pre_TF, self.setup.k)

    def select(self, blocks: EncoderBlocks) -> Kept:
        return largest_per_row(blocks, self.setup.k)

    def folded(self, source: Affine, target: Affine) -> Dictionary:
        dictionary = super().folded(source, target)
        dictionary.k = self.setup.k
        return dictionary
