"""Steering for use elsewhere: a vector, Neuronpedia's JSON, or a standalone script.

The suffix of the file says which: .safetensors, .json, .py.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import save
from torch import Tensor, nn

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.names import hub_name, public_name
from sae_desktop.language_model.sites.norms import gain, plain_norm, takes_mean_off
from sae_desktop.language_model.sites.resolve import Site, hook_point, text_config
from sae_desktop.language_model.sites.site_names import uncentred
from sae_desktop.resources import resource_path
from sae_desktop.steering.export_config import (
    SUFFIXES,
    ExportSteeringConfig,
    ExportSteeringResult,
)
from sae_desktop.steering.generate import PaddedTokens, forward
from sae_desktop.steering.interventions import Change, Positions
from sae_desktop.steering.job import prompt_ids
from sae_desktop.steering.prepare import Preparer
from sae_desktop.storage.atomic import write_bytes


def export_steering(config: ExportSteeringConfig, context: JobContext) -> ExportSteeringResult:
    """Write the file in one step.

    Raises UserError for another suffix, for nothing to do, and for what the form cannot say: a
    vector is added to every token, so that it holds neither factors nor chosen tokens.
    """
    path = Path(config.path)
    if path.suffix not in SUFFIXES:
        raise UserError(
            f"“{path.name}” does not end with {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}.",
            next_step="Give it one of these endings.",
        )
    opened = open_index(config.project, config.index, config.device)
    preparer = Preparer(config.project, opened)
    plan = preparer.plan(config.variant.interventions)
    if list(plan) != [preparer.target]:
        raise UserError(
            f"Only steering with one dictionary, at the site it writes (“{opened.written}”), can "
            "be exported."
            if plan
            else "Nothing is being steered.",
            next_step="Steer with at least one feature.",
        )
    changes = plan[preparer.target]
    if path.suffix == ".py":
        data = _script(opened, changes, config).encode()
    else:
        vector = _vector(changes)
        data = _tensor_file(opened, vector, config) if path.suffix == ".safetensors" else (
            _neuronpedia(opened, vector, config)
        )  # fmt: skip
    write_bytes(path, data)
    context.log(f"Written: {path}")
    return ExportSteeringResult(path=str(path), bytes=len(data))


def _vector(changes: list[Change]) -> Tensor:
    """Return Σ amount·d (D,): what adding does, and clamping where the feature is silent."""
    for change in changes:
        if change.mode not in ("add", "clamp") or change.where != "all" or change.tokens:
            raise UserError(
                "A vector is added to every token, so it cannot express multiplication, ablation "
                "or a choice of tokens.",
                next_step="Export a script (.py) instead.",
            )
    return torch.stack([c.amount * c.direction_D.float().cpu() for c in changes]).sum(dim=0)


def _told(opened: OpenedIndex, config: ExportSteeringConfig) -> dict[str, str]:
    info = opened.index.info
    return {
        "model": public_name(info.model), "site": str(opened.written),
        "dictionary": info.dictionary,
        "variant": msgspec.json.encode(config.variant).decode(),
    }  # fmt: skip


def _tensor_file(opened: OpenedIndex, vector: Tensor, config: ExportSteeringConfig) -> bytes:
    return save({"steering_vector": vector.contiguous()}, metadata=_told(opened, config))


def _neuronpedia(opened: OpenedIndex, vector: Tensor, config: ExportSteeringConfig) -> bytes:
    """Return the body Neuronpedia's `vector/new` takes, which knows the stream before a layer."""
    site = opened.written
    layers = {"hook_resid_pre": site.layer, "hook_resid_post": site.layer + 1}
    hook = uncentred(site.hook)  # to add there is to add to the stream
    if hook not in layers:
        raise UserError(
            "Neuronpedia accepts vectors for the residual stream before a layer, not for "
            f"“{site}”.",
            next_step="Export a .safetensors file.",
        )
    strength = float(vector.norm())
    body = {
        "modelId": public_name(opened.index.info.model),
        "layerNumber": layers[hook],
        "hookType": "hook_resid_pre",
        "vector": (vector / max(strength, 1e-12)).tolist(),
        "vectorDefaultSteerStrength": strength,
        "vectorLabel": config.variant.name,
    }
    return json.dumps(body).encode()


# ---------------------------------------------------------------- a script
def _script(opened: OpenedIndex, changes: list[Change], config: ExportSteeringConfig) -> str:
    if opened.dictionary.row_norm != "none":
        raise UserError(
            "The dictionary normalises each row before reading it, which a script does not do.",
            next_step="Save a preset instead.",
        )
    if not opened.dictionary.separable and any(c.feature is not None for c in changes):
        raise UserError(
            "In this dictionary features compete, so the activation of one depends on all of "
            "them, which a script does not contain.",
            next_step="Use “add”, which does not need activations.",
        )
    lm, read = opened.lm, any(change.feature is not None for change in changes)
    ids = prompt_ids(opened, config.prompt, chat=config.chat)
    values = {
        "MODEL": hub_name(lm.name) or hub_name(str(lm.files.folder)),
        "NAME": public_name(lm.name),
        "OPTIONS": {} if lm.files.gguf is None else {"gguf_file": lm.files.gguf},
        "DTYPE": str(lm.model.dtype).removeprefix("torch."),
        "WRITTEN": _told_place(opened, opened.written),
        "READ": _told_place(opened, opened.site) if read and opened.written != opened.site else {},
        "CACHES": _keeps_cache(lm, ids),
        "PROMPT_IDS": ids,
        "SPECIALS": len(opened.bos),
        "ENDS": sorted(lm.eos_ids),
        "NEW_TOKENS": config.sampling.max_new_tokens,
        "TEMPERATURE": config.sampling.temperature,
        "REPETITION_PENALTY": config.sampling.repetition_penalty,
        "SEED": config.sampling.seed,
        "CHANGES": [_told_change(opened, change) for change in changes],
    }
    if config.sampling.top_k or config.sampling.top_p < 1:
        raise UserError(
            "A script always samples from all tokens.", next_step="Export without top-k and top-p."
        )
    template = resource_path("steering_script.py.txt").read_text(encoding="utf-8")
    told = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    return template.replace("# VALUES", told)


def _told_place(opened: OpenedIndex, site: Site) -> dict[str, Any]:
    """Return how a script finds the value of a site. Raises UserError where it cannot."""
    lm, point = opened.lm, hook_point(opened.lm.model, site)
    stream = None
    if uncentred(site.hook) == "hook_resid_mid" and point.side == "input":
        # It passes through no module of its own: the entered stream plus attention.
        stream = hook_point(lm.model, Site(site.layer, "hook_resid_pre")).module
        branch = hook_point(lm.model, Site(site.layer, "hook_attn_out"))
        point = replace(branch, centred=point.centred)

    def named(module: nn.Module | None) -> str:
        return next((name for name, m in lm.model.named_modules() if m is module), "")

    told = {
        "module": named(point.module), "side": point.side, "scale": point.scale,
        "centred": point.centred, "stream": named(stream), "norm": named(point.norm),
    }  # fmt: skip
    if point.norm is not None:
        told |= _norm_values(opened, site, point.norm)
    return told


def _norm_values(opened: OpenedIndex, site: Site, norm: nn.Module) -> dict[str, Any]:
    """Return what a script needs to norm as a module does. Raises UserError where it cannot."""
    width = int(text_config(opened.lm.model).hidden_size)
    epsilon = next((getattr(norm, name) for name in _EPSILONS if hasattr(norm, name)), 0.0)
    x = torch.randn(4, width, generator=torch.Generator().manual_seed(0))
    centred = x - x.mean(-1, keepdim=True) if takes_mean_off(norm) else x
    expected = centred / (centred.pow(2).mean(-1, keepdim=True) + epsilon).sqrt()
    found = plain_norm(norm, torch.device("cpu"))(x)
    if not torch.allclose(found, expected, rtol=1e-4, atol=1e-4):
        raise UserError(
            f"The norm before “{site}” is of a kind that a script cannot reproduce.",
            next_step="Save a preset instead, or export a .safetensors file.",
        )
    return {
        "norm_centres": takes_mean_off(norm),
        "norm_epsilon": epsilon,
        "norm_gain": _numbers(gain(norm, width, opened.lm)),
    }


_EPSILONS = ("variance_epsilon", "eps", "epsilon")
"""What norms call the number that keeps them from dividing by 0."""


def _keeps_cache(lm: LanguageModel, ids: list[int]) -> bool:
    nothing = Positions([0], 0, [1])
    return forward(lm, PaddedTokens.of([ids[:1]]), {}, nothing, use_cache=True)[1] is not None


def _told_change(opened: OpenedIndex, change: Change) -> dict[str, Any]:
    dictionary, found = opened.dictionary, change.feature
    told: dict[str, Any] = {
        "mode": change.mode, "amount": change.amount, "where": change.where,
        "start": change.start, "tokens": list(change.tokens),
        "direction": _numbers(change.direction_D),
    }  # fmt: skip
    if found is not None:
        least = 0.0 if dictionary.threshold is None else float(dictionary.threshold[found])
        told |= {
            "encoder": _numbers(dictionary.W_enc[:, found]),
            "bias": float(dictionary.b_enc[found]),
            "threshold": max(least, 0.0),
        }
    return told


def _numbers(values: Tensor) -> str:
    return base64.b64encode(values.float().cpu().numpy().tobytes()).decode()
