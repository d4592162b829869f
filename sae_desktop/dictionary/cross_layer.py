"""A trained cross-layer transcoder: features of a layer that write to all later MLPs' outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from sae_desktop.dictionary.dictionary import Dictionary


class CrossLayerDictionary(Dictionary):
    """L blocks of F / L features: block l reads layer l alone and writes layers l … L − 1.

    Rows of the layers are side by side, x (…, L·D) and what is written (…, L·D). A block is a
    dictionary of its own, from (…, D) to (…, (L − l)·D), its b_dec zero: `blocks[l]` reads and
    shows the features of one layer like those of any other dictionary. The dense W_enc and
    W_dec, mostly zeros, are made when they are asked for.
    """

    def __init__(
        self, blocks: list[Dictionary], b_dec: Tensor, metadata: dict[str, Any] | None = None
    ) -> None:
        """Take the blocks from the first layer on, and b_dec (L·D,) of all layers.

        Raises ValueError when they do not fit together.
        """
        layers, width = len(blocks), blocks[0].width
        for number, block in enumerate(blocks):
            found = (block.width, block.out_width, block.features)
            wanted = (width, (layers - number) * width, blocks[0].features)
            if found != wanted:
                raise ValueError(f"the sizes of layer {number} are {found}, not {wanted}")
        if tuple(b_dec.shape) != (layers * width,):
            raise ValueError(f"b_dec has shape {tuple(b_dec.shape)}, not {(layers * width,)}")
        self.blocks = blocks
        self.b_dec = b_dec
        self.k = None
        self.rank = None
        self.grouped = False
        self.refinement = None
        self.W_skip = None
        self.row_norm = "none"
        self.parts = (width,) * layers
        self.metadata = metadata or {}

    @property
    def layers(self) -> int:
        """L."""
        return len(self.blocks)

    @property
    def features(self) -> int:
        return sum(block.features for block in self.blocks)

    @property
    def width(self) -> int:
        return self.layers * self.blocks[0].width

    @property
    def out_width(self) -> int:
        return self.width

    @property
    def transcodes(self) -> bool:
        return True

    @property
    def device(self) -> torch.device:
        return self.b_dec.device

    # The base class keeps these four as attributes; here they are assembled.
    @property
    def W_enc(self) -> Tensor:  # type: ignore[override]
        """(L·D, F), zero outside the blocks."""
        return _block_diagonal([block.W_enc for block in self.blocks])

    @property
    def b_enc(self) -> Tensor:  # type: ignore[override]
        return torch.cat([block.b_enc for block in self.blocks])

    @property
    def W_dec(self) -> Tensor:  # type: ignore[override]
        """(F, L·D), zero before a feature's own layer."""
        missing = (self.width - block.out_width for block in self.blocks)
        rows = zip(self.blocks, missing, strict=True)
        return torch.cat([torch.nn.functional.pad(b.W_dec, (before, 0)) for b, before in rows])

    @property
    def threshold(self) -> Tensor | None:  # type: ignore[override]
        found = [block.threshold for block in self.blocks]
        thresholds = [threshold for threshold in found if threshold is not None]
        return torch.cat(thresholds) if len(thresholds) == len(found) else None

    def encode(self, x: Tensor) -> Tensor:
        pieces = torch.split(x, list(self.parts), dim=-1)
        encoded = [block.encode(piece) for block, piece in zip(self.blocks, pieces, strict=True)]
        return torch.cat(encoded, dim=-1)

    def active(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found, first = [], 0
        for block, piece in zip(self.blocks, torch.split(x, list(self.parts), -1), strict=True):
            rows, features, values = block.active(piece)
            found.append((rows, features + first, values))
            first += block.features
        rows, features, values = (torch.cat(some) for some in zip(*found, strict=True))
        # Blocks follow one another, so that equal rows stay in the order of their features.
        order = torch.argsort(rows, stable=True)
        return rows[order], features[order], values[order]

    def encode_features(self, x: Tensor, ids: Tensor) -> Tensor:
        pieces = torch.split(x, list(self.parts), dim=-1)
        ids = ids.to(self.device)
        out = x.new_empty((*x.shape[:-1], len(ids)), dtype=self.b_dec.dtype, device=self.device)
        for number, mine, own in self._by_block(ids):
            out[..., mine] = self.blocks[number].encode_features(pieces[number], own)
        return out

    def decode(self, activations: Tensor, x: Tensor | None = None) -> Tensor:
        del x
        written = self.b_dec.expand(*activations.shape[:-1], self.out_width).clone()
        pieces = torch.split(activations, self.blocks[0].features, dim=-1)
        for block, piece in zip(self.blocks, pieces, strict=True):
            written[..., self.width - block.out_width :] += block.decode(piece)
        return written

    def decoder_rows(self, ids: Tensor) -> Tensor:
        ids = ids.to(self.device)
        rows = self.b_dec.new_zeros(len(ids), self.out_width)
        for number, mine, own in self._by_block(ids):
            block = self.blocks[number]
            rows[mine, self.width - block.out_width :] = block.W_dec[own]
        return rows

    def dots(self, y: Tensor) -> Tensor:
        y = y.to(self.b_dec)
        pieces = [b.dots(y[..., self.width - b.out_width :]) for b in self.blocks]
        return torch.cat(pieces, dim=-1)

    def _by_block(self, ids: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Yield each block that some of `ids` (n,) are of: its number, their places, own ids."""
        size = self.blocks[0].features
        owners = torch.div(ids, size, rounding_mode="floor")
        for number in sorted(set(owners.tolist())):
            mine = torch.nonzero(owners == number).squeeze(1)
            yield number, mine, ids[mine] - number * size

    def decoder_part(self, number: int) -> Tensor:
        rows = []
        for layer, block in enumerate(self.blocks[: number + 1]):
            width, begin = self.parts[number], sum(self.parts[layer:number])
            rows.append(block.W_dec[:, begin : begin + width])
        return torch.cat(rows)

    def scaled(self, scalar: float) -> CrossLayerDictionary:
        blocks = [block.scaled(scalar) for block in self.blocks]
        return CrossLayerDictionary(blocks, self.b_dec / scalar, self.metadata)

    def to(self, device: torch.device | str) -> CrossLayerDictionary:
        blocks = [block.to(device) for block in self.blocks]
        return CrossLayerDictionary(blocks, self.b_dec.to(device), self.metadata)


def _block_diagonal(blocks: list[Tensor]) -> Tensor:
    """Return the matrix with these (D, f) matrices on its diagonal."""
    matrix: Tensor = torch.block_diag(*blocks)  # type: ignore[no-untyped-call]
    return matrix
