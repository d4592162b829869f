"""What the dictionary of an index reads of token ids."""

from __future__ import annotations

from torch import Tensor

from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.asking.places import values_at


def read_inputs(
    opened: OpenedIndex, input_ids: Tensor, attention_mask: Tensor | None = None
) -> Tensor:
    """Return what the dictionary reads (B, S, I) of token ids (B, S), float32.

    The rows of all its sites, of all its models, lie side by side in its own order. Ids are padded
    on the right, the mask is that of `visit_sites`. Raises UserError for a site its model lacks.
    """
    return values_at(opened.reads, input_ids, attention_mask)
