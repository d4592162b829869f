"""The dictionaries of a set as a replacement model reads them: layer by layer, in its numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.set_info import SetInfo
from sae_desktop.dictionary.sets import DictionarySet
from sae_desktop.errors import UserError
from sae_desktop.language_model.sites.resolve import Site, parse_site
from sae_desktop.language_model.sites.site_names import HOOKS

_READABLE = HOOKS[: HOOKS.index("mlp.hook_post")]


class Members:
    """Transcoders by layer, or the blocks of a cross-layer transcoder, D the model's width."""

    def __init__(
        self,
        dictionaries: dict[int, Dictionary],
        reads: dict[int, Site],
        biases: dict[int, Tensor],
        skips: dict[int, Tensor] | None = None,
        *,
        cross_layer: bool,
    ) -> None:
        """Take the layers' dictionaries, where they read, b_dec (D,) and W_skip (I, D) of each."""
        self.layers = sorted(dictionaries)
        self.cross_layer = cross_layer
        self._dictionaries = dictionaries
        self._reads = reads
        self._biases = biases
        self._skips = skips or {}

    def dictionary(self, layer: int) -> Dictionary:
        """Return what reads a layer."""
        return self._dictionaries[layer]

    def read_site(self, layer: int) -> Site | None:
        """Return where the features of a layer read; None: it has none."""
        return self._reads.get(layer)

    def widths(self, layer: int) -> tuple[int, int]:
        """Return how many numbers a layer's features read, I, and write at an MLP's output, D."""
        return self._dictionaries[layer].W_enc.shape[0], self._biases[layer].shape[0]

    def active(self, layer: int, x_TI: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the rows, features and activations of what fires on rows (T, I), (n,) each."""
        return self._dictionaries[layer].active(x_TI)

    def encoders(self, layer: int, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return W_enc (n, I) and b_enc (n,) of features."""
        found = self._dictionaries[layer]
        return found.W_enc[:, features].T, found.b_enc[features]

    def writes_to(self, source: int, layer: int) -> bool:
        """Return whether the features of layer `source` write at the MLP output of `layer`."""
        if source not in self._dictionaries:
            return False
        if not self.cross_layer:
            return source == layer
        return source <= layer and layer in self._dictionaries

    def decoders(self, source: int, layer: int, features: Tensor) -> Tensor:
        """Return what features of `source` write at `layer` for an activation of 1, (n, D)."""
        W_dec = self._dictionaries[source].W_dec
        if not self.cross_layer:
            return W_dec[features]
        later = [other for other in self.layers if other >= source]
        width = W_dec.shape[1] // len(later)
        first = later.index(layer) * width
        return W_dec[:, first : first + width][features]

    def bias(self, layer: int, like: Tensor) -> Tensor:
        """Return what is written at a layer whatever fires, (D,); zeros where nothing is."""
        found = self._biases.get(layer)
        return like.new_zeros(like.shape[-1]) if found is None else found

    def skip(self, layer: int, read: Tensor) -> Tensor | None:
        """Return what a skip connection makes of rows (…, I): (…, D); None: there is none."""
        found = self._skips.get(layer)
        return None if found is None else read @ found

    @property
    def bytes(self) -> int:
        """What the weights take."""
        return sum(
            tensor.numel() * tensor.element_size()
            for found in self._dictionaries.values()
            for tensor in (found.W_enc, found.W_dec, found.b_enc)
        ) + sum(skip.numel() * skip.element_size() for skip in self._skips.values())


def members_of(found: DictionarySet, dtype: torch.dtype) -> Members:
    """Return a set's dictionaries in numbers of `dtype`.

    Raises UserError for one that reads or writes where no replacement model can, or damaged.
    """
    info = found.info
    reads = {member.layer: _read(info, member.layer) for member in info.members}
    dictionaries = {layer: _cast(found.dictionary(layer), dtype) for layer in found.layers}
    across = found.cross_layer
    if across is None:
        biases = {layer: dictionary.b_dec for layer, dictionary in dictionaries.items()}
    else:
        pieces = torch.split(across.b_dec.to(dtype), list(across.parts))
        biases = dict(zip(found.layers, pieces, strict=True))
    for layer, dictionary in dictionaries.items():
        if dictionary.row_norm != "none":
            raise UserError(
                f"Layer {layer} of the set “{info.name}” normalises every row before it reads it, "
                "so its features are not a linear function of the stream.",
                next_step="Choose a set without row norms.",
            )
        tensors = (dictionary.W_enc, dictionary.b_enc, dictionary.W_dec, biases[layer])
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors):
            raise UserError(
                f"Layer {layer} of the set “{info.name}” has weights that are not numbers.",
                next_step="Restore the layer from a copy, or make the set again.",
            )
    skips = {layer: d.W_skip for layer, d in dictionaries.items() if d.W_skip is not None}
    return Members(dictionaries, reads, biases, skips, cross_layer=across is not None)


def _read(info: SetInfo, layer: int) -> Site:
    member = info.member(layer)
    site, written = parse_site(member.reads), parse_site(member.writes)
    if site.layer != layer or site.hook not in _READABLE:
        raise UserError(
            f"Layer {layer} of the set “{info.name}” reads “{member.reads}”, from where no graph "
            "can be traced.",
            next_step="Choose a set whose layers read what their MLP reads.",
        )
    if written != Site(layer, "hook_mlp_out"):
        raise UserError(
            f"Layer {layer} of the set “{info.name}” writes “{member.writes}”, not the output of "
            f"its MLP, “{Site(layer, 'hook_mlp_out')}”.",
            next_step="Choose a set of transcoders.",
        )
    return site


def _cast(found: Dictionary, dtype: torch.dtype) -> Dictionary:
    if found.W_enc.dtype == dtype:
        return found

    def to(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor.to(dtype)

    return Dictionary(
        found.W_enc.to(dtype), found.b_enc.to(dtype), found.W_dec.to(dtype), found.b_dec.to(dtype),
        to(found.threshold), k=found.k, rank=to(found.rank), grouped=found.grouped,
        W_skip=to(found.W_skip), row_norm=found.row_norm, metadata=found.metadata,
    )  # fmt: skip
