"""The pictures in the prompts of a batch: what a model is given of them beside the tokens.

B rows, S columns. A model is given pixels with the pass that reads the pictures alone: what it
makes of them is in its cache from then on. Where it has none, it is given them at every pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sae_desktop.features.asking.picture_documents import PictureDocument
from sae_desktop.language_model.load import LanguageModel

OF_TOKENS = ("input_ids", "attention_mask")
"""What a model is given of the tokens themselves."""


@dataclass(frozen=True)
class PromptPictures:
    """Of each row the document that its prompt is."""

    rows: Sequence[PictureDocument]

    @property
    def barred(self) -> list[int]:
        """Tokens that are never written: each stands for a part of a picture that is not there."""
        found = {int(i) for doc in self.rows for i in _of_pictures(doc)}
        return sorted(found)

    def inputs(self, lm: LanguageModel, mask_BS: Tensor) -> dict[str, Tensor]:
        """Return what a pass over all columns of a batch is given of the pictures.

        The mask is 0 for the padding before each row.
        """
        length = len(self.rows[0].whole_ids)
        found: dict[str, Tensor] = {}
        for name, first in self.rows[0].inputs.items():
            if name in OF_TOKENS:
                continue
            parts = [doc.inputs[name] for doc in self.rows]
            # One number for each token, or what is of the pictures themselves.
            if first.dim() == 2 and first.shape == (1, length):
                found[name] = _spread(parts, mask_BS).to(lm.device)
            else:
                found[name] = torch.cat(parts)
        return found

    def position_ids(self, lm: LanguageModel, ids_BS: Tensor, mask_BS: Tensor) -> Tensor | None:
        """Return (3, B, S), of a model whose positions are those of rows and columns of pictures.

        Such a model would otherwise go by what it remembers of the last pass, whosever that was.
        """
        if not turns_by_place(lm):
            return None
        inputs = self.inputs(lm, mask_BS)
        found, _ = lm.model.base_model.get_rope_index(
            input_ids=ids_BS.to(lm.device),
            mm_token_type_ids=inputs["mm_token_type_ids"],
            image_grid_thw=inputs["image_grid_thw"],
            attention_mask=mask_BS.to(lm.device),
        )
        positions: Tensor = found
        return positions


def _spread(parts: Sequence[Tensor], mask_BS: Tensor) -> Tensor:
    """Return a number for each column, 0 for padding and for what was written."""
    whole_BS = torch.zeros(mask_BS.shape, dtype=parts[0].dtype)
    for row, part in enumerate(parts):
        pads = int((mask_BS[row] == 0).sum())
        whole_BS[row, pads : pads + part.shape[1]] = part[0].cpu()
    return whole_BS


def turns_by_place(lm: LanguageModel) -> bool:
    """Return whether a model's positions are those of rows and columns of pictures."""
    return hasattr(lm.model.base_model, "get_rope_index")


def _of_pictures(document: PictureDocument) -> set[int]:
    ids = document.whole_ids
    return {ids[column] for column in (document.batch.picture[0] >= 0).nonzero()[0]}
