"""The weights of a cross-layer transcoder, in circuit-tracer's files: two for each layer i.

`W_enc_{i}.safetensors` holds W_enc_i (F, D), b_enc_i (F,), b_dec_i (D,) and threshold_i (F,),
`W_dec_{i}.safetensors` W_dec_i (F, L − i, D); F is the number of features of a layer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.tensor_files import read_tensors, write_tensors


def write_cross_layer(
    dictionary: CrossLayerDictionary, folder: Path, dtype: torch.dtype = torch.float32
) -> None:
    """Write the layers' files. Raises UserError when the disk is full."""
    width = dictionary.blocks[0].width
    for i, block in enumerate(dictionary.blocks):
        tensors = {
            f"W_enc_{i}": block.W_enc.T,
            f"b_enc_{i}": block.b_enc,
            f"b_dec_{i}": dictionary.b_dec[i * width : (i + 1) * width],
        }
        if block.threshold is not None:
            tensors[f"threshold_{i}"] = block.threshold
        write_tensors(folder / f"W_enc_{i}.safetensors", tensors, dtype)
        W_dec = block.W_dec.view(block.features, -1, width)
        write_tensors(folder / f"W_dec_{i}.safetensors", {f"W_dec_{i}": W_dec}, dtype)


def read_cross_layer(folder: Path, layers: int, metadata: dict[str, Any]) -> CrossLayerDictionary:
    """Read what `write_cross_layer` wrote.

    Raises UserError for a missing or damaged file, KeyError for a missing tensor, ValueError
    for tensors that do not fit together.
    """
    blocks, b_dec = [], []
    for i in range(layers):
        tensors = read_tensors(folder / f"W_enc_{i}.safetensors")
        W_dec = read_tensors(folder / f"W_dec_{i}.safetensors")[f"W_dec_{i}"].flatten(1)
        blocks.append(
            Dictionary(
                tensors[f"W_enc_{i}"].T.contiguous(),
                tensors[f"b_enc_{i}"],
                W_dec,
                torch.zeros(W_dec.shape[1]),
                tensors.get(f"threshold_{i}"),
            )
        )
        b_dec.append(tensors[f"b_dec_{i}"])
    return CrossLayerDictionary(blocks, torch.cat(b_dec), metadata)
