"""sparsify (EleutherAI): `cfg.json` and `sae.safetensors`, one folder per hook point."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from sae_desktop.dictionary.dictionary import Dictionary
from sae_desktop.dictionary.formats.fields import (
    FieldTable,
    Told,
    converted,
    honoured,
    no_effect,
    no_effects,
    one_of,
    refused,
    told,
)
from sae_desktop.dictionary.formats.folder_view import FolderView, Found, read_config
from sae_desktop.dictionary.formats.folding import folded
from sae_desktop.dictionary.formats.names import model_name, site_name, site_of_input
from sae_desktop.dictionary.formats.weights_file import WeightsFile
from sae_desktop.dictionary.tensor_files import write_tensors
from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import write_bytes

NAME = "sparsify"
WEIGHTS = "sae.safetensors"
CFG = "cfg.json"
_RUN = "config.json"
_PRECISION = "The model’s numbers were rounded in training."
TABLES = (
    FieldTable(
        NAME, CFG,
        {
            "activation": honoured(
                "topk, or groupmax: the largest of each of k groups.",
                refuses=one_of("topk", "groupmax"),
            ),
            "k": honoured("How many features fire at once."),
            "transcode": honoured(
                "It reads its module’s input and writes its output, and subtracts no bias."
            ),
            "skip_connection": honoured("W_skip, which must be there."),
            "signed": refused("Features that keep their sign cannot be read here."),
            **no_effects("Known from the tensors’ shapes.", "d_in num_latents expansion_factor"),
            "normalize_decoder": no_effect("Used in training only; decoder norms are folded in."),
            "multi_topk": no_effect("A training loss."),
        },
    ),
    FieldTable(
        NAME, f"{_RUN} (for the run, in the parent folder)",
        {
            "model": converted("The model’s name."),
            "revision": told(
                "Another version of the model.",
                lambda value: f"It was trained on the model’s revision “{value}”." if value else "",
            ),
            "load_in_8bit": told(_PRECISION, lambda value: _PRECISION if value else ""),
            "ctx_len": converted("The context size."),
            "dataset": converted("The name of the text."),
            "finetune": no_effect("What training started from."),
            "sae": no_effect("The same as cfg.json, which is read instead."),
            **no_effects(
                "Used in training only.",
                "batch_size grad_acc_steps micro_acc_steps loss_fn optimizer lr lr_warmup_steps "
                "k_decay_steps auxk_alpha dead_feature_threshold exclude_tokens hookpoints "
                "init_seeds layers layer_stride distribute_modules save_every save_best "
                "log_to_wandb run_name wandb_log_frequency save_dir split hf_token max_examples "
                "resume text_column shuffle_seed data_preprocessing_num_proc data_args",
            ),
        },
    ),
    FieldTable(
        NAME, f"{WEIGHTS} (tensors)",
        {
            "encoder.weight": converted("The encoder, transposed."),
            "encoder.bias": honoured("Added before the k largest are chosen."),
            "W_dec": honoured("The decoder; the lengths of its rows are folded in."),
            "b_dec": honoured(
                "Added to the output; subtracted from the input, except in a transcoder."
            ),
            "W_skip": converted("The skip connection, transposed."),
        },
    ),
)  # fmt: skip


def find(view: FolderView) -> list[Found]:
    """Return the dictionary of a folder, if it is one of sparsify's."""
    return [
        _found(view, file)
        for file in view.weights
        if file.has("encoder.weight", "encoder.bias", "W_dec", "b_dec")
    ]


def _found(view: FolderView, file: WeightsFile) -> Found:
    cfg = view.config(CFG)
    run = _of_run(view)
    features, width = file.shapes["encoder.weight"]
    site, site_out = _sites(view.path.name, transcodes=bool(cfg.get("transcode", False)))
    notes = () if cfg else ("There is no cfg.json: k was not found.",)
    return Found(
        format=NAME, path=file.path, architecture=str(cfg.get("activation", "topk")), width=width,
        features=features, read=partial(_read, file, cfg),
        model=model_name(str(run.get("model") or "")), site=site, site_out=site_out, notes=notes,
        modules=tuple((found, view.path.name) for found in (site, site_out) if found),
        metadata={"context_size": run.get("ctx_len"), "dataset_path": run.get("dataset")},
        told=tuple(map(Told, TABLES, (cfg, run, file.entries))),
    )  # fmt: skip


def _of_run(view: FolderView) -> dict[str, Any]:
    """Return the config of the run whose folder holds the hook point’s."""
    try:
        found = read_config(view.path.parent, (_RUN,))
    except UserError:  # whatever lies there need not be of this dictionary
        return {}
    return found if "sae" in found else {}


def _sites(module: str, *, transcodes: bool) -> tuple[str, str]:
    """Return what a dictionary of a module reads, and what it writes if that is another site."""
    out = site_name(module)
    return (site_of_input(module), out) if transcodes else (out, "")


def _read(file: WeightsFile, cfg: dict[str, Any]) -> Dictionary:
    k = cfg.get("k")
    if not isinstance(k, int) or k < 1:
        raise UserError(
            f"“{file.path.with_name(CFG)}” does not say how many features fire at once (k).",
            next_step="Put the cfg.json it was saved with into the same folder.",
        )
    tensors = file.tensors()
    skip = tensors["W_skip"] if cfg.get("skip_connection") else tensors.get("W_skip")
    return folded(
        tensors["encoder.weight"].T, tensors["encoder.bias"], tensors["W_dec"], tensors["b_dec"],
        k=k, grouped=cfg.get("activation") == "groupmax",
        subtracts_b_dec=not cfg.get("transcode", False),
        W_skip=None if skip is None else skip.T,
    )  # fmt: skip


def write(dictionary: Dictionary, folder: Path) -> None:
    """Write what sparsify reads. Raises UserError for what it has no architecture for."""
    if dictionary.k is None or dictionary.row_norm != "none" or dictionary.parts:
        raise UserError(
            "sparsify has only TopK dictionaries, with k features per token. This is not one.",
            next_step="Export it for SAELens or dictionary_learning.",
        )
    transcodes = bool(dictionary.metadata.get("hook_name_out")) or dictionary.W_skip is not None
    if dictionary.out_width != dictionary.width:
        raise UserError(
            "In sparsify, the output is as wide as the input; this dictionary reads width "
            f"{dictionary.width} and writes width {dictionary.out_width}.",
            next_step="Export it for SAELens.",
        )
    W_enc, b_enc, W_dec = dictionary.unfolded()
    tensors = {
        "encoder.weight": W_enc.T,
        "encoder.bias": b_enc if transcodes else b_enc + dictionary.b_dec @ W_enc,
        "W_dec": W_dec,
        "b_dec": dictionary.b_dec,
    }
    if dictionary.W_skip is not None:
        tensors["W_skip"] = dictionary.W_skip.T
    cfg = {
        "activation": "groupmax" if dictionary.grouped else "topk",
        "expansion_factor": max(dictionary.features // dictionary.width, 1),
        "normalize_decoder": dictionary.rank is None,
        "num_latents": dictionary.features,
        "k": dictionary.k,
        "multi_topk": False,
        "skip_connection": dictionary.W_skip is not None,
        "transcode": transcodes,
        "d_in": dictionary.width,
    }
    write_tensors(folder / WEIGHTS, tensors)
    write_bytes(folder / CFG, msgspec.json.format(msgspec.json.encode(cfg), indent=2))
