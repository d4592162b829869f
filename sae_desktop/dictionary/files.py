"""Dictionaries on disk: the folder SAELens reads, `cfg.json` + `sae_weights.safetensors`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import replacing, write_bytes

CFG = "cfg.json"
WEIGHTS = "sae_weights.safetensors"

SAE_LENS_VERSION = "6.54.12"
"""The version whose format is written; without it SAELens takes its pre-6 reader."""

_SUPPORTED = ("standard", "jumprelu")


def save(dictionary: Dictionary, folder: Path) -> None:
    """Write a dictionary; the weights first, so that a `cfg.json` always has its weights.

    One with a threshold is of SAELens's architecture `jumprelu`, one without `standard`.
    Raises UserError when the disk is full.
    """
    tensors = {
        "W_enc": dictionary.W_enc,
        "b_enc": dictionary.b_enc,
        "W_dec": dictionary.W_dec,
        "b_dec": dictionary.b_dec,
    }
    if dictionary.threshold is not None:
        tensors["threshold"] = dictionary.threshold
    cpu = {name: t.detach().to("cpu", torch.float32).contiguous() for name, t in tensors.items()}
    with replacing(folder / WEIGHTS) as part:
        save_file(cpu, part)
    cfg = {
        "architecture": "standard" if dictionary.threshold is None else "jumprelu",
        "d_in": dictionary.width,
        "d_sae": dictionary.features,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"sae_lens_version": SAE_LENS_VERSION, **dictionary.metadata},
    }
    write_bytes(folder / CFG, msgspec.json.format(msgspec.json.encode(cfg), indent=2))


def load(folder: str | Path, device: str | torch.device = "cpu") -> Dictionary:
    """Read a dictionary's folder.

    Raises UserError that names the file and what is wrong with it: missing, truncated, of an
    architecture not known here, or with tensors that do not fit together.
    """
    folder = Path(folder)
    cfg = _read_cfg(folder)
    tensors = _read_weights(folder / WEIGHTS)
    try:
        W_enc, b_enc = tensors["W_enc"].float(), tensors["b_enc"].float()
        W_dec, b_dec = tensors["W_dec"].float(), tensors["b_dec"].float()
        threshold = tensors["threshold"].float() if cfg["architecture"] == "jumprelu" else None
        if cfg.get("apply_b_dec_to_input", False):
            b_enc = b_enc - b_dec @ W_enc
        W_enc, b_enc, W_dec, threshold = _unit_decoder(W_enc, b_enc, W_dec, threshold)
        dictionary = Dictionary(
            W_enc, b_enc, W_dec, b_dec, threshold, metadata=dict(cfg.get("metadata", {}))
        )
    except KeyError as error:
        raise UserError(
            f"“{folder / WEIGHTS}” lacks the tensor {error}.",
            next_step="Save the dictionary again where it was made.",
        ) from error
    except (ValueError, RuntimeError) as error:
        raise UserError(f"“{folder / WEIGHTS}” does not fit together: {error}.") from error
    return dictionary.to(device)


def _unit_decoder(
    W_enc: Tensor, b_enc: Tensor, W_dec: Tensor, threshold: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Move the decoder norms into the encoder; x̂ and the set of active features stay."""
    norms = W_dec.norm(dim=1)
    if torch.allclose(norms, torch.ones_like(norms), atol=1e-5):
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


def _read_weights(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UserError(
            f"“{path}” is missing.", next_step="Restore it from a copy, or train again."
        )
    try:
        return load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(
            f"“{path}” is damaged or cut short: {error}.",
            next_step="Restore it from a copy, or train again.",
        ) from error
