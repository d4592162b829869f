"""Reading a model's weights in a precision, onto a device or several."""

from __future__ import annotations

from typing import Any, Literal

import torch

from sae_desktop.devices.out_of_memory import is_out_of_memory
from sae_desktop.errors import UserError
from sae_desktop.language_model.files.find import ModelFiles, weight_files, weights_there
from sae_desktop.language_model.memory import weight_bytes
from sae_desktop.language_model.network import cannot_open, loading_options, model_class
from sae_desktop.language_model.quantise import FLOATS, own_quantisation, quantisation

# Made anew where the file has none, and never on the way to a site.
_UNUSED = ("pooler.",)


def weights_needed(files: ModelFiles, config: Any, model: Any, dtype: str, rest: str) -> int:
    """Return the bytes a model's weights take in memory in `dtype`.

    `model` need have no memory for them. Of weights that are stored quantised in a way of their
    own it is what they take on the disk, 0 where they are not on this machine.
    """
    if own_quantisation(config) and files.gguf is None:
        if not weights_there(files):
            return 0
        return sum(path.stat().st_size for path in weight_files(files.folder))
    return weight_bytes(model, dtype, rest)


def read_weights(
    files: ModelFiles,
    config: Any,
    dtype: str,
    rest: str,
    place: torch.device | Literal["split"],
) -> Any:
    """Return the model of `files` in evaluation mode. Raises UserError."""
    own = files.gguf is None and own_quantisation(config)
    options = loading_options(files) | {"config": config}
    if dtype in FLOATS:
        options["dtype"] = FLOATS[dtype]
    elif own:
        options["dtype"] = "auto"
    else:
        options |= {"dtype": FLOATS[rest], "quantization_config": quantisation(dtype, rest)}
    if place == "split":
        options["device_map"] = "auto"
    elif dtype not in FLOATS:
        options["device_map"] = {"": place}
    try:
        model, report = model_class(files, config).from_pretrained(
            files.folder, output_loading_info=True, **options
        )
        if "device_map" not in options:
            model = model.to(place)
        model = model.eval().requires_grad_(False)
    except Exception as error:
        if is_out_of_memory(error):
            raise UserError(
                f"“{files.name}” does not fit into the memory of {place}.",
                kept="Nothing was loaded.",
                next_step="Close other programs, or choose a smaller precision, another device "
                "or “split”.",
            ) from error
        raise cannot_open(files, error) from error
    missing = sorted(key for key in report["missing_keys"] if not key.startswith(_UNUSED))
    if missing:
        raise UserError(
            f"The model “{files.name}” is missing {len(missing)} of its weights, including "
            f"{missing[0]}.",
            next_step="Copy or download the model again with all of its files.",
        )
    return model
