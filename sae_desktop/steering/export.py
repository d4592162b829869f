"""Steering for use elsewhere: a vector, Neuronpedia's JSON, a script of its own.

The suffix of the file says which: .safetensors, .json, .py.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import save
from torch import Tensor

from sae_desktop.errors import UserError
from sae_desktop.features.opened import OpenedIndex, open_index
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.sites import hook_point
from sae_desktop.resources import resource_path
from sae_desktop.steering.export_config import (
    SUFFIXES,
    ExportSteeringConfig,
    ExportSteeringResult,
)
from sae_desktop.steering.interventions import Change
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
            f"“{path.name}” ends with none of {', '.join(SUFFIXES)}.",
            next_step="Give it one of these endings.",
        )
    opened = open_index(config.project, config.index, config.device)
    plan = Preparer(config.project, opened).plan(config.variant.interventions)
    if list(plan) != [opened.site]:
        raise UserError(
            "Only steering at the dictionary's own site can be exported."
            if plan
            else "Nothing is steered.",
            next_step="Steer with at least one feature there.",
        )
    changes = plan[opened.site]
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
                "A vector is added to every token: it can say neither factors and ablations nor "
                "chosen tokens.",
                next_step="Export a script (.py), which can.",
            )
    return torch.stack([c.amount * c.direction_D.float().cpu() for c in changes]).sum(dim=0)


def _told(opened: OpenedIndex, config: ExportSteeringConfig) -> dict[str, str]:
    info = opened.index.info
    return {"model": info.model, "site": info.site, "dictionary": info.dictionary,
            "variant": msgspec.json.encode(config.variant).decode()}  # fmt: skip


def _tensor_file(opened: OpenedIndex, vector: Tensor, config: ExportSteeringConfig) -> bytes:
    return save({"steering_vector": vector.contiguous()}, metadata=_told(opened, config))


def _neuronpedia(opened: OpenedIndex, vector: Tensor, config: ExportSteeringConfig) -> bytes:
    """Return the body Neuronpedia's `vector/new` takes, which knows the stream before a layer."""
    site = opened.site
    layers = {"hook_resid_pre": site.layer, "hook_resid_post": site.layer + 1}
    if site.hook not in layers:
        raise UserError(
            f"Neuronpedia takes vectors of the residual stream before a layer, not of “{site}”.",
            next_step="Export a .safetensors file.",
        )
    strength = float(vector.norm())
    body = {
        "modelId": opened.index.info.model,
        "layerNumber": layers[site.hook],
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
            "The dictionary normalises each row before it reads it: a script does not.",
            next_step="Keep a preset instead.",
        )
    if not opened.dictionary.separable and any(c.feature is not None for c in changes):
        raise UserError(
            "In this dictionary features compete: one's activation needs all of them, which a "
            "script does not hold.",
            next_step="Use “add”, which needs none.",
        )
    lm, point = opened.lm, hook_point(opened.lm.model, opened.site)
    module = next(name for name, found in lm.model.named_modules() if found is point.module)
    ids = prompt_ids(opened, config.prompt, chat=config.chat)
    values = {
        "MODEL": str(lm.files.folder),
        "OPTIONS": {} if lm.files.gguf is None else {"gguf_file": lm.files.gguf},
        "DTYPE": str(lm.model.dtype).removeprefix("torch."),
        "MODULE": module,
        "SIDE": point.side,
        "SCALE": point.scale,
        "PROMPT_IDS": ids,
        "SPECIALS": len(opened.bos),
        "ENDS": sorted(lm.eos_ids),
        "NEW_TOKENS": config.sampling.max_new_tokens,
        "TEMPERATURE": config.sampling.temperature,
        "SEED": config.sampling.seed,
        "CHANGES": [_told_change(opened, change) for change in changes],
    }
    if config.sampling.top_k or config.sampling.top_p < 1:
        raise UserError(
            "A script chooses among all tokens.", next_step="Export without top-k and top-p."
        )
    template = resource_path("steering_script.py.txt").read_text(encoding="utf-8")
    told = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    return template.replace("# VALUES", told)


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
