"""Dictionaries on disk: the folder SAELens reads, `cfg.json` + `sae_weights.safetensors`.

What SAELens has no format for is kept alike: a crosscoder is one file more of the same kind,
TopK transcoders carry their k, and a cross-layer transcoder has two files a layer
(`cross_layer_files`). SAELens refuses those by their architecture's name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.cross_layer_files import read_cross_layer, write_cross_layer
from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.tensor_files import read_tensors, write_tensors
from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import write_bytes

CFG = "cfg.json"
WEIGHTS = "sae_weights.safetensors"

SAE_LENS_VERSION = "6.54.12"
"""The version whose format is written; without it SAELens takes its pre-6 reader."""

CROSS_LAYER = "cross_layer_transcoder"
_WITH_THRESHOLD = {"jumprelu", "jumprelu_transcoder", "jumprelu_skip_transcoder"}
_WITH_K = {"topk", "topk_transcoder", "topk_skip_transcoder"}
_WITH_SKIP = {"skip_transcoder", "jumprelu_skip_transcoder", "topk_skip_transcoder"}
_SUPPORTED = (
    "standard",
    "jumprelu",
    "topk",
    "gated",
    "transcoder",
    "jumprelu_transcoder",
    "topk_transcoder",
    "skip_transcoder",
    "jumprelu_skip_transcoder",
    "topk_skip_transcoder",
    "crosscoder",
    CROSS_LAYER,
)
# Norms of decoder rows closer to each other than this are one norm, rounded.
_TOLERANCE = 1e-5
# Training holds the rows of TopK at norm one up to the rounding of a low-precision save.
_TOP_K_TOLERANCE = 1e-2


def save(dictionary: Dictionary, folder: Path) -> None:
    """Write a dictionary; the weights first, so that a `cfg.json` always has its weights.

    What has thresholds (JumpReLU, BatchTopK, Matryoshka) becomes SAELens's `jumprelu`, TopK its
    `topk`, the rest `standard`; one trained as Gated its `gated`. What writes elsewhere than it
    reads becomes the transcoder of that kind. Raises UserError when the disk is full.
    """
    architecture = architecture_name(dictionary)
    cfg: dict[str, Any] = {
        "architecture": architecture,
        "d_in": dictionary.width,
        "d_sae": dictionary.features,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
        "reshape_activations": "none",
    }
    if dictionary.k is not None:
        cfg |= {"k": dictionary.k, "rescale_acts_by_decoder_norm": False}
    if _is_transcoder(architecture) or architecture in ("crosscoder", CROSS_LAYER):
        cfg["d_out"] = dictionary.out_width
    if dictionary.parts:
        cfg["parts"] = list(dictionary.parts)
    cfg["metadata"] = {"sae_lens_version": SAE_LENS_VERSION, **dictionary.metadata}
    if isinstance(dictionary, CrossLayerDictionary):
        write_cross_layer(dictionary, folder)
    else:
        write_tensors(folder / WEIGHTS, _tensors(dictionary, architecture))
    write_bytes(folder / CFG, msgspec.json.format(msgspec.json.encode(cfg), indent=2))


def load(folder: str | Path, device: str | torch.device = "cpu") -> Dictionary:
    """Read a dictionary's folder; decoder norms are folded into the encoder.

    Raises UserError that names the file and what is wrong with it: missing, truncated, of an
    architecture not known here, or with tensors that do not fit together.
    """
    folder = Path(folder)
    cfg = _read_cfg(folder)
    architecture = cfg["architecture"]
    metadata = dict(cfg.get("metadata", {}))
    try:
        if architecture == CROSS_LAYER:
            return read_cross_layer(folder, len(cfg["parts"]), metadata).to(device)
        dictionary = _from_tensors(cfg, read_tensors(folder / WEIGHTS), folder)
    except KeyError as error:
        raise UserError(
            f"The dictionary in “{folder}” lacks {error}.",
            next_step="Save it again where it was made.",
        ) from error
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"The tensors of the dictionary in “{folder}” do not fit together: {error}."
        ) from error
    dictionary.metadata = metadata
    return dictionary.to(device)


def architecture_name(dictionary: Dictionary) -> str:
    """Return the architecture as which a dictionary is saved, by SAELens's names."""
    if isinstance(dictionary, CrossLayerDictionary):
        return CROSS_LAYER
    if len(dictionary.parts) > 1:
        return "crosscoder"
    if dictionary.k is not None:
        kind = "topk"
    else:
        kind = "standard" if dictionary.threshold is None else "jumprelu"
    elsewhere = "hook_name_out" in dictionary.metadata
    if not (elsewhere or dictionary.W_skip is not None or dictionary.out_width != dictionary.width):
        gated = dictionary.metadata.get("training_architecture") == "gated"
        return "gated" if gated and kind == "jumprelu" else kind
    suffix = "transcoder" if dictionary.W_skip is None else "skip_transcoder"
    return suffix if kind == "standard" else f"{kind}_{suffix}"


def _is_transcoder(architecture: str) -> bool:
    return architecture.endswith("transcoder") and architecture != CROSS_LAYER


def _tensors(dictionary: Dictionary, architecture: str) -> dict[str, Tensor]:
    tensors = {"W_enc": dictionary.W_enc, "W_dec": dictionary.W_dec, "b_dec": dictionary.b_dec}
    if architecture == "gated":
        assert dictionary.threshold is not None
        # A threshold on the magnitude is a gate of the same weights whose bias is lower by it.
        tensors["b_gate"] = dictionary.b_enc - dictionary.threshold.clamp_min(0)
        tensors["b_mag"] = dictionary.b_enc
        tensors["r_mag"] = torch.zeros_like(dictionary.b_enc)
        return tensors
    tensors["b_enc"] = dictionary.b_enc
    if dictionary.threshold is not None:
        tensors["threshold"] = dictionary.threshold
    if dictionary.W_skip is not None:
        tensors["W_skip"] = dictionary.W_skip.T
    return tensors


def _from_tensors(cfg: dict[str, Any], tensors: dict[str, Tensor], folder: Path) -> Dictionary:
    architecture = cfg["architecture"]
    W_enc, W_dec, b_dec = tensors["W_enc"], tensors["W_dec"], tensors["b_dec"]
    threshold: Tensor | None = None
    if architecture == "gated":
        # Gate open ⟺ magnitude above b_mag − exp(r_mag)·b_gate: the weights are tied.
        gain = tensors["r_mag"].exp()
        W_enc, b_enc = W_enc * gain, tensors["b_mag"]
        threshold = (b_enc - gain * tensors["b_gate"]).clamp_min(0)
    else:
        b_enc = tensors["b_enc"]
        if architecture in _WITH_THRESHOLD:
            threshold = tensors["threshold"]
        elif architecture == "crosscoder":
            threshold = tensors.get("threshold")
    if cfg.get("apply_b_dec_to_input", False):
        b_enc = b_enc - b_dec @ W_enc
    k = int(cfg["k"]) if architecture in _WITH_K else None
    if architecture == "crosscoder":
        k = cfg.get("k")
    if k is None or cfg.get("rescale_acts_by_decoder_norm", False):
        W_enc, b_enc, W_dec, threshold = _unit_decoder(W_enc, b_enc, W_dec, threshold)
    elif architecture != "crosscoder":
        _refuse_free_norms(W_dec, folder)
    return Dictionary(
        W_enc,
        b_enc,
        W_dec,
        b_dec,
        threshold,
        k=k,
        W_skip=tensors["W_skip"].T.contiguous() if architecture in _WITH_SKIP else None,
        parts=tuple(cfg.get("parts", ())),
    )


def _refuse_free_norms(W_dec: Tensor, folder: Path) -> None:
    norms = W_dec.norm(dim=1)
    if not torch.allclose(norms, torch.ones_like(norms), atol=_TOP_K_TOLERANCE):
        raise UserError(
            f"The dictionary in “{folder}” chooses its k largest activations before the decoder's "
            "norms are folded in, and these are not one.",
            next_step="Train it with unit decoder rows, or with rescale_acts_by_decoder_norm.",
        )


def _unit_decoder(
    W_enc: Tensor, b_enc: Tensor, W_dec: Tensor, threshold: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Move the decoder norms into the encoder; x̂ and the set of active features stay."""
    norms = W_dec.norm(dim=1)
    if torch.allclose(norms, torch.ones_like(norms), atol=_TOLERANCE):
        return W_enc, b_enc, W_dec, threshold
    norms = torch.where(norms > 0, norms, 1.0)
    scaled = None if threshold is None else threshold * norms
    return W_enc * norms, b_enc * norms, W_dec / norms[:, None], scaled


def _read_cfg(folder: Path) -> dict[str, Any]:
    path = folder / CFG
    if not path.is_file():
        raise UserError(
            f"“{folder}” holds no dictionary: there is no {CFG}.",
            next_step="Train it first, or name the folder that holds cfg.json.",
        )
    try:
        cfg = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise UserError(f"“{path}” is no valid JSON: {error}.") from error
    architecture = cfg.get("architecture")
    if architecture not in _SUPPORTED:
        raise UserError(
            f"“{path}” is of the architecture “{architecture}”, which cannot be opened.",
            next_step=f"These can: {', '.join(_SUPPORTED)}.",
        )
    if cfg.get("normalize_activations", "none") != "none":
        raise UserError(
            f"“{path}” expects inputs normalised by “{cfg['normalize_activations']}”.",
            next_step="Fold the normalisation into its weights where it was made.",
        )
    return cfg
