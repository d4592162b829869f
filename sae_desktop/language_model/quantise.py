"""Precisions: what a model computes in, and what 8 and 4 bits need."""

from __future__ import annotations

import importlib.util
import json
import logging
from typing import Any

import torch

from sae_desktop.devices.abilities import has_quantised_layers, is_host
from sae_desktop.errors import UserError
from sae_desktop.language_model.config import ModelDtype
from sae_desktop.language_model.files.find import ModelFiles, weight_files
from sae_desktop.language_model.memory import quantised_layers

QUANTISED = ("8bit", "4bit")
_BLOCK = 64
_SAFETENSORS = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
FLOATS: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def resolve_dtype(wanted: ModelDtype, device: torch.device, files: ModelFiles, config: Any) -> str:
    """Return what `wanted` comes to: “auto” is float32 on the CPU, on a GPU the weights' type.

    Raises UserError where the precision is not available.
    """
    own = own_quantisation(config) if files.gguf is None else ""
    if own:
        if wanted not in ("auto", own):
            raise UserError(
                f"The weights of “{files.name}” are stored quantised ({own}) and cannot be "
                "converted to another precision.",
                next_step="Choose the precision “auto”, or the model before it was quantised.",
            )
        return own
    if wanted in QUANTISED:
        _check_quantised(wanted, device, files)
        return wanted
    if wanted != "auto":
        if wanted not in FLOATS:
            raise UserError(
                f"“{wanted}” is not a precision.",
                next_step=f"Choose auto, {', '.join(FLOATS)}, {', '.join(QUANTISED[:-1])} or "
                f"{QUANTISED[-1]}.",
            )
        return wanted
    return "float32" if is_host(device) or files.gguf else stored_dtype(files, config)


def rest_dtype(device: torch.device, files: ModelFiles, config: Any) -> str:
    """Return the type of what stays unquantised in an 8- or 4-bit model."""
    return "float32" if is_host(device) else stored_dtype(files, config)


def stored_dtype(files: ModelFiles, config: Any) -> str:
    """Return the type of a model's weights as its files have them; float32 where none says."""
    named = str(getattr(config, "dtype", None) or "").removeprefix("torch.")
    if named in FLOATS:
        return named
    try:
        path = next(p for p in weight_files(files.folder) if p.suffix == ".safetensors")
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    except (StopIteration, UserError, OSError, ValueError):
        return "float32"
    types = (entry.get("dtype") for name, entry in header.items() if name != "__metadata__")
    return next((_SAFETENSORS[t] for t in types if t in _SAFETENSORS), "float32")


def own_quantisation(config: Any) -> str:
    """Return how the files themselves are quantised: “8bit”, “4bit”, another method, or ""."""
    found = getattr(config, "quantization_config", None)
    if found is None:
        return ""
    settings = found if isinstance(found, dict) else found.to_dict()
    if settings.get("load_in_8bit") or settings.get("load_in_4bit"):
        return "4bit" if settings.get("load_in_4bit") else "8bit"
    method = settings.get("quant_method") or "unknown method"
    return str(getattr(method, "value", method))


def _check_quantised(wanted: str, device: torch.device, files: ModelFiles) -> None:
    if files.gguf:
        raise UserError(
            f"A .gguf model cannot be read as {wanted}: its weights are quantised in their own "
            "way, and are used as float32, bfloat16 or float16.",
            next_step="Choose one of these.",
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UserError(
            f"The precision {wanted} needs the library bitsandbytes, which is not installed.",
            next_step="Install it with: pip install 'sae-desktop[quantised]'.",
        )
    if not has_quantised_layers(device):
        raise UserError(
            f"The precision {wanted} is not available on the device “{device}”.",
            next_step="Choose float16 or bfloat16, or the device “cpu”.",
        )


def quantisation(dtype: str, rest: str) -> Any:
    """Return the settings under which transformers quantises while it reads."""
    from transformers import BitsAndBytesConfig

    # Says for every layer that it computes in float16, which 8 bit always does.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if dtype == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=FLOATS[rest]
    )


def check_quantisable(name: str, model: Any, dtype: str, device: torch.device) -> None:
    """Return if the model's layers can be had in `dtype` there. Raises UserError."""
    if dtype != "4bit" or not is_host(device):
        return
    for layer in quantised_layers(model):
        width = int(layer.weight.shape[-1])
        if width % _BLOCK:
            raise UserError(
                f"“{name}” is not available in 4 bits on the CPU: weights are packed in blocks of "
                f"{_BLOCK}, but it has a layer of width {width}.",
                next_step="Choose 8bit, bfloat16 or float16.",
            )
