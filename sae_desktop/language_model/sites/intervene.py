"""Changing a site: what the model computes from there on follows from the new value."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES
from transformers.pytorch_utils import Conv1D

from sae_desktop.language_model.sites.capture import centred_value, watch, wide
from sae_desktop.language_model.sites.norms import SPREAD, gain
from sae_desktop.language_model.sites.resolve import (
    HookPoint,
    Site,
    decoder_layers,
    hook_point,
    text_config,
)
from sae_desktop.language_model.sites.site_names import Hook, is_centred, uncentred

if TYPE_CHECKING:
    from sae_desktop.language_model.load import LanguageModel

Transform = Callable[[Tensor], Tensor]


@contextmanager
def intervention(lm: LanguageModel, site: Site, transform: Transform) -> Iterator[None]:
    """Replace the value x at `site` by `transform(x)` in forward passes inside the block.

    x is float32, of a float64 model float64, (B, S, D): with a key-value cache only the new
    tokens of the step. The model's lock is held for the whole block, since the hooks sit on a
    model that jobs share.
    Raises UserError for a site the model lacks.
    """
    if is_centred(site.hook):
        # What is added to the centred value is added to the stream: its mean stays.
        transform = partial(_moved_as_centred, transform)
        site = Site(site.layer, uncentred(site.hook))
    with lm.lock, ExitStack() as stack:
        point = hook_point(lm.model, site)
        # What enters the layer: the stream to add to, and the shape some branches flatten.
        entered: list[Tensor] = []

        def remember(value: Tensor) -> None:
            entered[:] = [value]

        def replaced(value: Tensor) -> Tensor:
            x = value.reshape(*entered[0].shape[:2], -1) if entered else value
            return transform(wide(x)).reshape(value.shape)

        def replace_middle(attention: Tensor) -> Tensor:
            # The stream between attention and MLP passes through no module of its own; it is
            # the entered stream plus attention, so the change is made in the attention.
            attention = wide(attention)
            middle = entered[0].to(attention) + attention
            return attention + (transform(middle.clone()) - middle)

        if site.hook not in ("hook_resid_pre", "hook_resid_post"):
            stream = hook_point(lm.model, Site(site.layer, "hook_resid_pre"))
            stack.callback(watch(stream, remember).remove)
        if site.hook == "hook_resid_mid" and point.side == "input":
            branch = hook_point(lm.model, Site(site.layer, "hook_attn_out"))
            stack.callback(_replace(branch, replace_middle).remove)
        elif point.norm is not None:
            _replace_normed(stack, point, replaced, lm)
        else:
            stack.callback(_replace(point, replaced).remove)
        yield


def _moved_as_centred(transform: Transform, x: Tensor) -> Tensor:
    value = centred_value(x)
    return x + (transform(value.clone()) - value)


def _replace_normed(
    stack: ExitStack, point: HookPoint, change: Transform, lm: LanguageModel
) -> None:
    """Change what a norm made before its gain, in the one branch that reads it.

    The branch's input moves by the change times the gain; what else reads the norm does not.
    """
    assert point.norm is not None
    scale_D = gain(point.norm, int(text_config(lm.model).hidden_size), lm)
    normed: list[Tensor] = []

    def remember(value: Tensor) -> None:
        normed[:] = [value]

    def moved(value: Tensor) -> Tensor:
        x = normed[0].reshape(value.shape)
        return wide(value) + (change(x.clone()) - x) * scale_D.to(value.device)

    stack.callback(watch(point, remember).remove)
    stack.callback(_replace(replace(point, norm=None), moved).remove)


def _replace(point: HookPoint, change: Transform) -> Any:
    def changed(value: Tensor) -> Tensor:
        if point.scale == 1.0:
            # A copy, since some models (Falcon) add to a branch's output in place.
            return change(value).to(value, copy=True)
        x = wide(value) * point.scale
        # By the difference, so that what is left as it is stays so bit for bit.
        return (wide(value) + (change(x.clone()) - x) / point.scale).to(value.dtype)

    if point.side == "output":

        def after(module: nn.Module, args: Any, output: Any) -> Any:
            if isinstance(output, tuple | list):
                return type(output)((changed(output[0]), *output[1:]))
            return changed(output)

        return point.module.register_forward_hook(after)

    def before(module: nn.Module, args: Any, kwargs: Any) -> Any:
        if args:
            return (changed(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": changed(kwargs["hidden_states"])}

    return point.module.register_forward_pre_hook(before, with_kwargs=True)


def unembedding(lm: LanguageModel) -> tuple[Tensor, Tensor | None] | None:
    """Return (W_U (D, V), what the final norm scales by (D,) or None), float32.

    A decoder direction d raises the logits by (d · norm weight) @ W_U, up to the norm's scale;
    where the norm is a LayerNorm, d is less its mean. W_U holds what the model multiplies its
    logits by. On the device of the model's head. None for a model without logits, such as an
    encoder, and for one whose head is not a linear map.
    """
    with lm.lock, torch.no_grad():
        head, config = lm.model.get_output_embeddings(), text_config(lm.model)
        if head is None or config.model_type in _HEADS_WITH_A_LAYER:
            return None
        W_U = _matrix(head, lm)
        parent = parent_of_layers(lm.model)
        narrowed = getattr(parent, "project_out", None)  # OPT's, to the embeddings' width
        if narrowed is not None:
            W_U = _matrix(narrowed, lm).to(W_U.device) @ W_U
        factor = logit_factor(config)
        norm = final_norm(parent)
        return (
            W_U if factor == 1.0 else W_U * factor,
            None if norm is None else gain(norm, W_U.shape[0], lm).to(W_U.device),
        )


def final_norm_centres(lm: LanguageModel) -> bool:
    """Return whether the norm before the logits takes the mean off (LayerNorm; not RMSNorm).

    Measured: only then is a constant added to every coordinate lost.
    """
    with lm.lock, torch.no_grad():
        norm = final_norm(parent_of_layers(lm.model))
        if norm is None:
            return False
        weight = next(norm.parameters(), None)
        if weight is None or not weight.is_meta:
            norm = copy.deepcopy(norm).float()
        device = lm.device if weight is None or weight.is_meta else weight.device
        width = int(text_config(lm.model).hidden_size) if weight is None else weight.numel()
        dtype = weight.dtype if weight is not None and weight.is_meta else torch.float32
        signs = torch.ones(1, width, dtype=dtype, device=device)
        signs[:, 1::2] = -1
        plain: Tensor = norm(SPREAD * signs).float()
        moved: Tensor = norm(SPREAD * signs + SPREAD).float()
        return bool((plain - moved).abs().max() < 1e-2 * plain.abs().max())


def stream_directions(lm: LanguageModel, site: Site, directions_FI: Tensor) -> Tensor:
    """Return what directions at a site add to the residual stream, (F, D), float32.

    Those of the stream and of what is added to it are themselves; neurons and heads pass through
    the projection that reads them. A norm that stands after a branch (Gemma 2, OLMo 2) is left
    out. Raises UserError for a site the model lacks.
    """
    point = hook_point(lm.model, site)
    branch: Hook | None = _BRANCH_OF.get(site.hook)
    if branch is None:
        return directions_FI.float()
    with lm.lock, torch.no_grad():
        matrix_ID = _matrix(point.module, lm)
        scale = hook_point(lm.model, Site(site.layer, branch)).scale
        return directions_FI.to(matrix_ID) @ matrix_ID * scale


_BRANCH_OF: dict[Hook, Hook] = {"attn.hook_z": "hook_attn_out", "mlp.hook_post": "hook_mlp_out"}
"""Sites inside a branch → where it is added to the stream."""


# BERT and its kin, as decoders, put a layer and a norm of their own before the vocabulary.
_HEADS_WITH_A_LAYER = {*MODEL_FOR_MASKED_LM_MAPPING_NAMES, "modernbert-decoder"}
_FINAL_NORMS = (
    "norm",
    "ln_f",
    "final_layer_norm",
    "final_layernorm",
    "final_norm",
    "layer_norm",
    "norm_f",
    "embedding_norm",  # of LFM2: its last one, despite the name
)


def parent_of_layers(model: nn.Module) -> nn.Module:
    layers = decoder_layers(model)
    path = next(name for name, module in model.named_modules() if module is layers)
    return model.get_submodule(path.rpartition(".")[0])


def final_norm(parent: nn.Module) -> nn.Module | None:
    return next((n for n in map(partial(_child, parent), _FINAL_NORMS) if n is not None), None)


def _child(parent: nn.Module, name: str) -> nn.Module | None:
    return getattr(parent, name, None)


def _matrix(projection: Any, lm: LanguageModel) -> Tensor:
    """Return what a linear layer multiplies by, (inputs, outputs), float32."""
    weight: Tensor = projection.weight.detach()
    if weight.is_floating_point() and not weight.is_meta:
        # GPT-2's layer of that kind keeps the matrix the other way round.
        return weight.float() if isinstance(projection, Conv1D) else weight.float().T
    # A quantised one, or one whose weights are only fetched while they are needed: what it
    # makes of each coordinate.
    place = lm.device if weight.is_meta else weight.device
    inputs = torch.eye(projection.in_features, dtype=lm.model.dtype, device=place)
    made: Tensor = projection(inputs).float() - projection(torch.zeros_like(inputs[:1])).float()
    return made


def logit_factor(config: Any) -> float:
    match config.model_type:
        case "granite" | "granitemoe":
            return 1.0 / float(config.logits_scaling)
        case "cohere" | "cohere2":
            return float(config.logit_scale)
        case _:
            return 1.0
