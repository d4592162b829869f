"""dictionary_learning: a state dict `ae.pt` and `config.json`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.formats.fields import (
    FieldTable,
    Told,
    converted,
    honoured,
    no_effect,
    no_effects,
    one_of,
)
from sae_desktop.dictionary.formats.folder_view import FolderView, Found
from sae_desktop.dictionary.formats.folding import folded
from sae_desktop.dictionary.formats.gates import gated
from sae_desktop.dictionary.formats.names import model_name, site_name, site_of_input
from sae_desktop.dictionary.formats.through_saelens import SAELensDictionary
from sae_desktop.dictionary.formats.weights_file import WeightsFile
from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import replacing, write_bytes

NAME = "dictionary_learning"
WEIGHTS = "ae.pt"
CFG = "config.json"

_LINEAR = {
    "encoder.weight": converted("The encoder, transposed."),
    "encoder.bias": honoured("Added before activation."),
    "decoder.weight": converted("The decoder, transposed; the lengths of its rows are folded in."),
}
_DIRECT = {
    "W_enc": honoured("The encoder."),
    "W_dec": honoured("The decoder; the lengths of its rows are folded in."),
    "b_enc": honoured("Added before activation."),
}
_IO = {"in": "the input", "out": "the output"}
TABLES = (
    FieldTable(
        NAME, CFG,
        {
            "trainer.dict_class": honoured("Which of the library’s classes it is."),
            "trainer.k": honoured(
                "How many features fire at once, if the weights do not hold it; if they hold "
                "another number, it is refused."
            ),
            "trainer.lm_name": converted("The model’s name."),
            "trainer.submodule_name": converted("The site."),
            "trainer.layer": converted("The site, if no module is named."),
            "buffer.io": honoured(
                "Whether the module’s input or its output was read; both at once cannot be read "
                "here.",
                refuses=one_of(*_IO),
            ),
            "buffer.ctx_len": converted("The context size."),
            **no_effects(
                "Known from the tensors’ shapes.",
                "trainer.activation_dim trainer.dict_size trainer.group_sizes buffer.d_submodule",
            ),
            **no_effects(
                "Used in training only.",
                "trainer.trainer_class trainer.lr trainer.steps trainer.auxk_alpha "
                "trainer.warmup_steps trainer.decay_start trainer.threshold_beta "
                "trainer.threshold_start_step trainer.top_k_aux trainer.seed trainer.device "
                "trainer.wandb_name trainer.bandwidth trainer.sparsity_penalty "
                "trainer.sparsity_warmup_steps trainer.target_l0 trainer.group_fractions "
                "trainer.group_weights trainer.l1_penalty trainer.resample_steps "
                "trainer.sparsity_function trainer.p_start trainer.p_end trainer.anneal_start "
                "trainer.anneal_end trainer.sparsity_queue_length trainer.n_sparsity_updates "
                "trainer.initial_sparsity_penalty trainer.lr_decay_start buffer.n_ctxs "
                "buffer.refresh_batch_size buffer.out_batch_size buffer.device buffer.layer",
            ),
        },
    ),
    FieldTable(
        NAME, f"{WEIGHTS} (state dict)",
        {
            **_LINEAR, **_DIRECT,
            "bias": honoured("In an AutoEncoder: subtracted from the input and added to the "
                "output."),
            "decoder.bias": honoured("In an AutoEncoderNew: added to the output."),
            "decoder_bias": honoured("In a GatedAutoEncoder: like an AutoEncoder’s bias."),
            "r_mag": honoured("In a GatedAutoEncoder: the logarithm of the factor on magnitudes."),
            "gate_bias": honoured("In a GatedAutoEncoder: decides which features fire."),
            "mag_bias": honoured("In a GatedAutoEncoder: decides how strongly they fire."),
            "b_dec": honoured(
                "Added to the output; subtracted from the input, except in a JumpReluAutoEncoder."
            ),
            "k": honoured("In an AutoEncoderTopK: how many features fire at once."),
            "threshold": honoured("Activations not above it become 0; not used by an "
                "AutoEncoderTopK."),
            "group_sizes": no_effect("All groups are read."),
        },
    ),
)  # fmt: skip

_KEYS: dict[str, tuple[str, ...]] = {
    "GatedAutoEncoder": ("decoder_bias", "r_mag", "gate_bias", "mag_bias", "encoder.weight"),
    "MatryoshkaBatchTopKSAE": ("W_enc", "W_dec", "b_enc", "b_dec", "k", "group_sizes"),
    "BatchTopKSAE": ("b_dec", "k", "threshold", "encoder.weight", "encoder.bias", "decoder.weight"),
    "AutoEncoder": ("bias", "encoder.weight", "encoder.bias", "decoder.weight"),
    "AutoEncoderNew": ("encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias"),
}
"""Classes by what their files hold; AutoEncoderTopK has the keys of BatchTopKSAE."""
_TOP_K = "AutoEncoderTopK"
_SAME_KEYS = {"BatchTopKSAE", _TOP_K}


def find(view: FolderView) -> list[Found]:
    """Return the dictionaries of a folder that are dictionary_learning's."""
    found = [(file, _class_of(view, file)) for file in view.weights]
    return [_found(view, file, name) for file, name in found if name]


def _class_of(view: FolderView, file: WeightsFile) -> str:
    told = str(_trainer(view).get("dict_class", ""))
    if told == "JumpReluAutoEncoder" and file.has("W_enc", "W_dec", "b_enc", "b_dec", "threshold"):
        return told
    for name, keys in _KEYS.items():
        if file.has(*keys):
            return told if name in _SAME_KEYS and told in _SAME_KEYS else name
    # Before December 2024 its k stood in the config alone, and it had no threshold.
    return told if told == _TOP_K and file.has(*_BEFORE_THRESHOLDS) else ""


_BEFORE_THRESHOLDS = ("b_dec", "encoder.weight", "encoder.bias", "decoder.weight")


def _trainer(view: FolderView) -> dict[str, Any]:
    trainer = view.config(CFG).get("trainer", {})
    return trainer if isinstance(trainer, dict) else {}


def _found(view: FolderView, file: WeightsFile, name: str) -> Found:
    trainer = _trainer(view)
    if "W_enc" in file.shapes:
        width, features = file.shapes["W_enc"]
    else:
        features, width = file.shapes["encoder.weight"]
    notes = []
    if not trainer and name in _SAME_KEYS:
        notes.append(
            "There is no config.json to tell TopK from BatchTopK: read as BatchTopK, by threshold."
        )
    cfg = view.config(CFG)
    site, assumed = _site(cfg)
    if assumed:
        notes.append(
            "The module is not named: assumed to be the residual stream around layer "
            f"{trainer['layer']}."
        )
    buffer = cfg.get("buffer")
    return Found(
        format=NAME, path=file.path, architecture=name, width=width, features=features,
        read=partial(_read, file, name, trainer),
        model=model_name(str(trainer.get("lm_name") or "")), site=site, notes=tuple(notes),
        modules=((site, str(trainer.get("submodule_name"))),) if site and not assumed else (),
        metadata={"context_size": buffer.get("ctx_len") if isinstance(buffer, dict) else None},
        told=(Told(TABLES[0], cfg), Told(TABLES[1], file.entries)),
    )  # fmt: skip


def _site(cfg: dict[str, Any]) -> tuple[str, bool]:
    """Return the site that was read, and whether its module was assumed."""
    trainer, buffer = (cfg.get(key) for key in ("trainer", "buffer"))
    trainer = trainer if isinstance(trainer, dict) else {}
    reads_input = isinstance(buffer, dict) and buffer.get("io") == "in"
    named = str(trainer.get("submodule_name") or "")
    named_site = site_of_input(named) if reads_input else site_name(named)
    if named_site or not isinstance(trainer.get("layer"), int):
        return named_site, False
    side = "hook_resid_pre" if reads_input else "hook_resid_post"
    return site_name(f"blocks.{trainer['layer']}.{side}"), True


def _k(file: WeightsFile, tensors: dict[str, Tensor], trainer: dict[str, Any]) -> int:
    """Return how many features fire at once. Raises UserError where it is not said, or twice."""
    found = {int(tensors["k"])} if "k" in tensors else set()
    found |= {int(file.values["k"])} if "k" in file.values else set()
    found |= {int(trainer["k"])} if trainer.get("k") is not None else set()
    if len(found) != 1 or min(found) < 1:
        said = " and ".join(map(str, sorted(found))) if found else "no number"
        raise UserError(
            f"How many features of “{file.path}” fire at once (k) is not clear: there is {said}.",
            next_step=f"Put the {CFG} it was saved with into the same folder.",
        )
    return found.pop()


def _read(file: WeightsFile, name: str, trainer: dict[str, Any]) -> Dictionary:
    tensors = file.tensors()
    match name:
        case "GatedAutoEncoder":
            return gated(
                tensors["encoder.weight"].T, tensors["gate_bias"], tensors["mag_bias"],
                tensors["r_mag"], tensors["decoder.weight"].T, tensors["decoder_bias"],
                subtracts_b_dec=True,
            )  # fmt: skip
        case "AutoEncoder":
            return folded(*_linear(tensors), tensors["bias"], subtracts_b_dec=True)
        case "AutoEncoderNew":
            return folded(*_linear(tensors), tensors["decoder.bias"])
        case "AutoEncoderTopK":
            k = _k(file, tensors, trainer)
            return folded(*_linear(tensors), tensors["b_dec"], k=k, subtracts_b_dec=True)
        case "BatchTopKSAE":
            threshold = _everywhere(tensors["threshold"], tensors["encoder.bias"])
            return folded(
                *_linear(tensors), tensors["b_dec"], threshold=threshold, subtracts_b_dec=True
            )
        case _:
            own = (tensors[key] for key in ("W_enc", "b_enc", "W_dec", "b_dec"))
            threshold = _everywhere(tensors["threshold"], tensors["b_enc"])
            nested = name == "MatryoshkaBatchTopKSAE"
            return folded(*own, threshold=threshold, subtracts_b_dec=nested)


def _linear(tensors: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    return tensors["encoder.weight"].T, tensors["encoder.bias"], tensors["decoder.weight"].T


def _everywhere(threshold: Tensor, like: Tensor) -> Tensor:
    """Return the threshold of each feature; −1, before training has set it, is none."""
    return threshold.float().clamp_min(0).expand(like.shape).clone()


# ---------------------------------------------------------------- writing
def write(dictionary: Dictionary, folder: Path) -> None:
    """Write what dictionary_learning reads: a TopK, JumpReLU, or plain autoencoder.

    Raises UserError for what it has no class for.
    """
    if isinstance(dictionary, SAELensDictionary):
        raise UserError(
            f"dictionary_learning has no “{dictionary.architecture}”.",
            next_step="Export it for SAELens.",
        )
    if dictionary.refinement is not None:
        raise UserError(
            "dictionary_learning has no dictionary that reads rows twice.",
            next_step="Share it as a package, which SAE Desktop opens; or train one with "
            "LISTA step 0 and Leave one out 0.",
        )
    own_site = dictionary.out_width == dictionary.width and dictionary.W_skip is None
    if not own_site or dictionary.parts or dictionary.row_norm != "none" or dictionary.grouped:
        raise UserError(
            "dictionary_learning has only dictionaries of one site: no transcoders, crosscoders, "
            "row norms or groups.",
            next_step="Export it for SAELens.",
        )
    W_enc, b_enc, W_dec = dictionary.unfolded()
    if dictionary.k is not None:
        name = _TOP_K
        tensors = {
            "k": torch.tensor(dictionary.k, dtype=torch.int),
            "threshold": torch.tensor(-1.0),
            "decoder.weight": W_dec.T,
            "encoder.weight": W_enc.T,
            "encoder.bias": b_enc + dictionary.b_dec @ W_enc,
            "b_dec": dictionary.b_dec,
        }
    elif dictionary.threshold is not None:
        name = "JumpReluAutoEncoder"
        tensors = {
            "W_enc": W_enc, "b_enc": b_enc, "W_dec": W_dec, "b_dec": dictionary.b_dec,
            "threshold": dictionary.threshold.clamp_min(0),
        }  # fmt: skip
    else:
        name = "AutoEncoder"
        tensors = {
            "bias": dictionary.b_dec,
            "encoder.weight": W_enc.T,
            "encoder.bias": b_enc + dictionary.b_dec @ W_enc,
            "decoder.weight": W_dec.T,
        }
    metadata = dictionary.metadata
    trainer = {
        "dict_class": name,
        "activation_dim": dictionary.width,
        "dict_size": dictionary.features,
        "k": dictionary.k,
        "lm_name": metadata.get("model_name", ""),
        "submodule_name": metadata.get("hook_name", ""),
    }
    config = {"trainer": trainer, "buffer": {"ctx_len": metadata.get("context_size")}}
    with replacing(folder / WEIGHTS) as part:
        torch.save({key: value.cpu().contiguous() for key, value in tensors.items()}, part)
    write_bytes(folder / CFG, msgspec.json.format(msgspec.json.encode(config), indent=2))
