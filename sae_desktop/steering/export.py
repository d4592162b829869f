"""Steering for use elsewhere: a vector, Neuronpedia's JSON, or a standalone script.

The suffix of the file says which: .safetensors, .json, .py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import save
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.names import hub_name, public_name
from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.language_model.sites.site_names import uncentred
from sae_desktop.resources import resource_path
from sae_desktop.steering.export_config import (
    SUFFIXES,
    ExportSteeringConfig,
    ExportSteeringResult,
)
from sae_desktop.steering.generate import PaddedTokens, forward
from sae_desktop.steering.interventions import Change, Positions
from sae_desktop.steering.prepare import Plan, Preparer, Target, written_in_order
from sae_desktop.steering.prompts import read_prompt, refuse_without_pictures
from sae_desktop.steering.script_pictures import told_pictures
from sae_desktop.steering.script_places import numbers_text, told_place
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
    written = written_in_order(opened)
    sites = [place.site for place in written]
    if not plan or any(
        target.index != config.index or not set(target.sites) <= set(sites) for target in plan
    ):
        raise UserError(
            f"Only steering with one dictionary, where it writes ({preparer.sites}), can be "
            "exported."
            if plan
            else "Nothing is being steered.",
            next_step="Steer with at least one feature.",
        )
    if config.variant.stop or any(act.when is not None for act in config.variant.interventions):
        raise UserError(
            "Steering with conditions cannot be exported: the file would steer at every token.",
            next_step="Serve it with “sae-desktop serve --steering PRESET”, or export the monitor.",
        )
    if path.suffix == ".py":
        data = _script(opened, plan, preparer, config).encode()
    else:
        vectors = _vectors(plan, sites)
        data = _tensor_file(preparer, vectors, config) if path.suffix == ".safetensors" else (
            _neuronpedia(opened, vectors, config)
        )  # fmt: skip
    write_bytes(path, data)
    context.log(f"Written: {path}")
    return ExportSteeringResult(path=str(path), bytes=len(data))


def _vectors(plan: Plan, sites: Sequence[Site]) -> dict[Site, Tensor]:
    """Return Σ amount·d (D,) of each site.

    That is what adding does, and clamping where the feature is silent.
    """
    vectors: dict[Site, Tensor] = {}
    for target, changes in plan.items():
        for change in changes:
            if change.mode not in ("add", "clamp") or change.where != "all" or change.tokens:
                raise UserError(
                    "A vector is added to every token, so it cannot express multiplication, "
                    "ablation or a choice of tokens.",
                    next_step="Export a script (.py) instead.",
                )
            for site, direction_D in _by_site(target, change).items():
                vectors[site] = vectors.get(site, 0.0) + change.amount * direction_D
    return {site: vectors[site] for site in sites if site in vectors}


def _by_site(target: Target, change: Change) -> dict[Site, Tensor]:
    """Return a change's direction at each of its sites, float32 on the CPU."""
    whole_O = change.direction_D.float().cpu()
    pieces = torch.split(whole_O, list(target.widths) or [len(whole_O)])
    return dict(zip(target.sites, pieces, strict=True))


def _tensor_file(
    preparer: Preparer, vectors: Mapping[Site, Tensor], config: ExportSteeringConfig
) -> bytes:
    """Return `steering_vector`, of several sites one each: `steering_vector.SITE`."""
    info = preparer.opened_of(config.index).index.info
    told = {
        "model": public_name(info.model), "site": ", ".join(map(str, vectors)),
        "dictionary": info.dictionary,
        "variant": msgspec.json.encode(config.variant).decode(),
    }  # fmt: skip
    alone = len(vectors) == 1
    named = {
        "steering_vector" if alone else f"steering_vector.{site}": vector.contiguous()
        for site, vector in vectors.items()
    }
    return save(named, metadata=told)


def _neuronpedia(
    opened: OpenedIndex, vectors: Mapping[Site, Tensor], config: ExportSteeringConfig
) -> bytes:
    """Return the body Neuronpedia's `vector/new` takes, which knows the stream before a layer."""
    if len(vectors) > 1:
        raise UserError(
            f"Neuronpedia accepts a vector for one site, but these features write {len(vectors)}.",
            next_step="Export a .safetensors file or a script (.py).",
        )
    ((site, vector),) = vectors.items()
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
def _script(
    opened: OpenedIndex, plan: Plan, preparer: Preparer, config: ExportSteeringConfig
) -> str:
    read = any(change.feature is not None for changes in plan.values() for change in changes)
    if opened.dictionary.row_norm != "none":
        raise UserError(
            "The dictionary normalises each row before reading it, which a script does not do.",
            next_step="Save a preset instead.",
        )
    if not opened.dictionary.separable and read:
        raise UserError(
            "In this dictionary features compete, so the activation of one depends on all of "
            "them, which a script does not contain.",
            next_step="Use “add”, which does not need activations.",
        )
    if opened.others and read:
        raise UserError(
            f"The features read {1 + len(opened.others)} models, and a script loads one.",
            next_step="Use “add”, which does not need activations.",
        )
    lm = opened.lm
    written = [place.site for place in written_in_order(opened)]
    places = _places_to_read(opened, plan) if read else []
    prompt = read_prompt(opened, config.prompt, config.pictures, chat=config.chat)
    refuse_without_pictures([config.variant], config.pictures)
    values = {
        "MODEL": hub_name(lm.name) or hub_name(str(lm.files.folder)),
        "NAME": public_name(lm.name),
        "OPTIONS": {} if lm.files.gguf is None else {"gguf_file": lm.files.gguf},
        "DTYPE": str(lm.model.dtype).removeprefix("torch."),
        "WRITTEN": [told_place(opened.lm, site) for site in written],
        "READ": [told_place(opened.lm, site) for site in places],
        "READ_BEFORE": read and any(target.reads_all for target in plan),
        "CACHES": _keeps_cache(lm, prompt.ids),
        "PROMPT_IDS": prompt.ids,
        "SPECIALS": prompt.specials,
        **told_pictures(lm, prompt, config.pictures),
        "ENDS": sorted(lm.eos_ids),
        "NEW_TOKENS": config.sampling.max_new_tokens,
        "TEMPERATURE": config.sampling.temperature,
        "REPETITION_PENALTY": config.sampling.repetition_penalty,
        "SEED": config.sampling.seed,
        "CHANGES": [
            _told_change(preparer.dictionary_of(target), target, change, written, places)
            for target, changes in plan.items()
            for change in changes
        ],
    }
    if config.sampling.top_k or config.sampling.top_p < 1:
        raise UserError(
            "A script always samples from all tokens.", next_step="Export without top-k and top-p."
        )
    template = resource_path("steering_script.py.txt").read_text(encoding="utf-8")
    told = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    return template.replace("# VALUES", told)


def _keeps_cache(lm: LanguageModel, ids: list[int]) -> bool:
    nothing = Positions([0], 0, [1])
    return forward(lm, PaddedTokens.of([ids[:1]]), {}, nothing, use_cache=True)[1] is not None


def _places_to_read(opened: OpenedIndex, plan: Plan) -> list[Site]:
    """Return the sites whose values a script takes beside those that it writes."""
    if any(target.reads_all for target in plan):
        return [place.site for place in opened.reads]
    return list(dict.fromkeys(t.reads for t in plan if t.reads is not None))


def _told_change(
    dictionary: Dictionary,
    target: Target,
    change: Change,
    written: Sequence[Site],
    places: Sequence[Site],
) -> dict[str, Any]:
    found, own = change.feature, _by_site(target, change)
    told: dict[str, Any] = {
        "mode": change.mode, "amount": change.amount, "where": change.where,
        "start": change.start, "tokens": list(change.tokens),
        "directions": [numbers_text(own[site]) if site in own else "" for site in written],
    }  # fmt: skip
    if found is not None:
        least = 0.0 if dictionary.threshold is None else float(dictionary.threshold[found])
        told |= {
            "reads": [0] if target.reads is None else [places.index(target.reads)],
            "encoder": numbers_text(dictionary.W_enc[:, found]),
            "bias": float(dictionary.b_enc[found]),
            "threshold": max(least, 0.0),
        }
        if target.reads_all:
            told["reads"] = list(range(len(places)))
    return told
