"""What a model is, read off its files: no weights are loaded or fetched, no code is run without
consent.
"""

from __future__ import annotations

import json
from typing import Any

import torch

from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.config import DescribeModelConfig, ModelDescription, Reads
from sae_desktop.language_model.device import SPLIT, resolve_device
from sae_desktop.language_model.files.code import ModelCode
from sae_desktop.language_model.files.find import ModelFiles, disk_bytes, find_model, weights_there
from sae_desktop.language_model.files.trust import is_trusted
from sae_desktop.language_model.files.weights import weights_needed
from sae_desktop.language_model.load import held_bytes
from sae_desktop.language_model.memory import free_device_memory
from sae_desktop.language_model.names import origin_text
from sae_desktop.language_model.network import (
    empty_model,
    load_config,
    needed_code,
    predicts_next,
    setting,
    vocabulary_rows,
)
from sae_desktop.language_model.pictures.families import encoder_of, family_of
from sae_desktop.language_model.pictures.reader import picture_reader
from sae_desktop.language_model.quantise import (
    check_quantisable,
    own_quantisation,
    resolve_dtype,
    rest_dtype,
)
from sae_desktop.language_model.sites.resolve import (
    Site,
    list_sites,
    parse_site,
    site_shape,
    site_width,
    text_config,
)
from sae_desktop.language_model.text.text_reader import context_size
from sae_desktop.language_model.text.tokenizer import load_tokenizer

# As the configurations of different families call the same thing, the first that is there.
_HEADS = ("num_attention_heads", "n_head", "num_heads")
_KV_HEADS = ("num_key_value_heads", "num_kv_heads")
_MLP_WIDTHS = ("intermediate_size", "ffn_dim", "ffn_hidden_size", "n_inner", "hidden_dim")
_EXPERT_WIDTHS = ("moe_intermediate_size", "expert_ffn_hidden_size")
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")


def describe_model(config: DescribeModelConfig, context: JobContext) -> ModelDescription:
    """Return a model's shape, its sites, and what it needs beside what there is.

    Of a model whose program code is not trusted it is what the configuration says, without
    sites. Raises UserError for a model that cannot be found or is not a text model, and for a
    precision or a device that is not available.
    """
    context.progress(0, 1, "models", "Reading the configuration")
    files = find_model(config.model, ask=config.ask_hub, context=context)
    code = needed_code(files)
    if code.needed and not is_trusted(code):
        return _unopened(files, code)
    settings = load_config(files)
    model = empty_model(files, settings)
    text = text_config(model)
    reads, note = _reads(files, settings)
    layers = setting(files, text, "num_hidden_layers")
    width = setting(files, text, "hidden_size")
    device, split = resolve_device(config.device), config.device == SPLIT
    dtype = resolve_dtype(config.dtype, device, files, settings)
    if not own_quantisation(settings):
        check_quantisable(files.name, model, dtype, device)
    rest = rest_dtype(device, files, settings)
    sites = list_sites(model)
    tokenizer = _tokenizer(files)
    experts = _figure(text, _EXPERTS)
    heads = _figure(text, _HEADS)
    context.progress(1, 1, "models", "Reading the configuration")
    return ModelDescription(
        name=files.name,
        architecture=type(model).__name__,
        layers=layers,
        width=width,
        vocabulary=vocabulary_rows(model),
        context_size=0 if reads == "pictures" else context_size(text, model),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        sites=sites,
        default_site=str(Site(layers // 2, "hook_resid_post")),
        cached=weights_there(files),
        site_widths=[site_width(model, parse_site(site)) for site in sites],
        site_shapes=[site_shape(model, parse_site(site)) for site in sites],
        heads=heads,
        key_value_heads=_key_value_heads(text, heads),
        mlp_width=_mlp_width(text, width, experts),
        experts=experts,
        causal=predicts_next(settings, code),
        reads=reads,
        picture_note=note,
        bos_token=_token(tokenizer, "bos_token", "cls_token"),
        eos_token=_token(tokenizer, "eos_token", "sep_token"),
        chat_template=bool(getattr(tokenizer, "chat_template", None)),
        dtype=dtype,
        device=SPLIT if split else str(device),
        memory_bytes=weights_needed(files, settings, model, dtype, rest),
        free_memory_bytes=_free(device, split=split),
        disk_bytes=disk_bytes(files),
        origin=origin_text(files.folder, files.gguf),
        code_files=list(code.files),
        code_trusted=code.needed,
        code_digest=code.digest,
    )


def _unopened(files: ModelFiles, code: ModelCode) -> ModelDescription:
    """What the configuration alone says of a model whose code is not run."""
    found = json.loads((files.folder / "config.json").read_bytes())

    def figure(*names: str) -> int:
        values = (found.get(name) for name in names)
        return next((value for value in values if isinstance(value, int)), 0)

    return ModelDescription(
        name=files.name,
        architecture=str((found.get("architectures") or [found.get("model_type", "")])[0]),
        layers=figure("num_hidden_layers", "n_layer", "num_layers"),
        width=figure("hidden_size", "n_embd", "d_model"),
        vocabulary=figure("vocab_size"),
        context_size=figure("max_position_embeddings", "n_positions", "seq_length"),
        parameters=0,
        sites=[],
        default_site="",
        cached=weights_there(files),
        heads=figure(*_HEADS),
        key_value_heads=figure(*_KV_HEADS) or figure(*_HEADS),
        mlp_width=figure(*_MLP_WIDTHS),
        experts=figure(*_EXPERTS),
        causal=code.causal,
        disk_bytes=disk_bytes(files),
        code_files=list(code.files),
        code_digest=code.digest,
    )


_PHOTOGRAPH = 1600, 1200
_SENSES = ("vision_config", "image_token_id", "image_token_index")


def _reads(files: ModelFiles, settings: Any) -> tuple[Reads, str]:
    """Return what a model reads, and how it reads pictures or why it cannot be given any."""
    alone = encoder_of(settings) is not None
    if not alone and family_of(settings) is None:
        seeing = any(getattr(settings, name, None) is not None for name in _SENSES)
        kind = settings.model_type
        return (
            "text",
            f"Which of its tokens are where in a picture is not known for a “{kind}” "
            "model, so it is opened for text alone."
            if seeing
            else "",
        )
    try:
        layout = picture_reader(files, settings, None).layout(*_PHOTOGRAPH)
    except UserError as error:
        return ("pictures" if alone else "text"), f"It cannot be given pictures: {error.what}"
    tiles = f" in {len(layout.tiles)} tiles" if len(layout.tiles) > 1 else ""
    width, height = _PHOTOGRAPH
    size = f"{width:,} × {height:,} pixels"
    note = f"A photograph of {size} becomes {layout.tokens:,} tokens{tiles}."
    return ("pictures" if alone else "both"), note


def _free(device: torch.device, *, split: bool) -> int:
    # The held model makes room for the next one, so that of itself too there is enough.
    return free_device_memory(device, split=split) + held_bytes(None if split else device)


def _figure(settings: Any, names: tuple[str, ...]) -> int:
    values = (getattr(settings, name, None) for name in names)
    return next((value for value in values if isinstance(value, int) and value > 0), 0)


def _key_value_heads(settings: Any, heads: int) -> int:
    if getattr(settings, "model_type", "") == "falcon" and not settings.new_decoder_architecture:
        return 1 if settings.multi_query else heads
    return _figure(settings, _KV_HEADS) or heads


def _mlp_width(settings: Any, width: int, experts: int) -> int:
    """Return the neurons of an MLP, of one expert where it is made of such."""
    if experts and _figure(settings, _EXPERT_WIDTHS):
        return _figure(settings, _EXPERT_WIDTHS)
    return _figure(settings, _MLP_WIDTHS) or 4 * width  # as GPT-2 and Bloom have it, unsaid


def _tokenizer(files: ModelFiles) -> Any:
    """Return the tokenizer; None where there is none, which loading explains."""
    try:
        return load_tokenizer(files)
    except UserError:
        return None


def _token(tokenizer: Any, *names: str) -> str:
    values = (getattr(tokenizer, name, None) for name in names)
    return next((str(value) for value in values if value), "")
