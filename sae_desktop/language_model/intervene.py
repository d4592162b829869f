"""Changing a site: what the model computes from there on follows from the new value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sae_desktop.language_model.capture import watch
from sae_desktop.language_model.sites import HookPoint, Site, hook_point

if TYPE_CHECKING:
    from sae_desktop.language_model.load import LanguageModel

Transform = Callable[[Tensor], Tensor]


@contextmanager
def intervention(lm: LanguageModel, site: Site, transform: Transform) -> Iterator[None]:
    """Replace the value x at `site` by `transform(x)` in forward passes inside the block.

    x is float32, (B, S, D): with a key-value cache only the new tokens of the step. The model's
    lock is held for the whole block, since the hooks sit on a model that jobs share.
    Raises UserError for a site the model lacks.
    """
    with lm.lock, ExitStack() as stack:
        point = hook_point(lm.model, site)
        # What enters the layer: the stream to add to, and the shape some branches flatten.
        entered: list[Tensor] = []

        def remember(value: Tensor) -> None:
            entered[:] = [value]

        def replace(value: Tensor) -> Tensor:
            x = value.reshape(*entered[0].shape[:2], -1) if entered else value
            return transform(x.float()).reshape(value.shape)

        def replace_middle(attention: Tensor) -> Tensor:
            # The stream between attention and MLP passes through no module of its own; it is
            # the entered stream plus attention, so the change is made in the attention.
            attention = attention.float()
            middle = entered[0].to(attention.device).float() + attention
            return attention + (transform(middle.clone()) - middle)

        if site.hook not in ("hook_resid_pre", "hook_resid_post"):
            stream = hook_point(lm.model, Site(site.layer, "hook_resid_pre"))
            stack.callback(watch(stream, remember).remove)
        if site.hook == "hook_resid_mid" and point.side == "input":
            branch = hook_point(lm.model, Site(site.layer, "hook_attn_out"))
            stack.callback(_replace(branch, replace_middle).remove)
        else:
            stack.callback(_replace(point, replace).remove)
        yield


def _replace(point: HookPoint, change: Transform) -> Any:
    def changed(value: Tensor) -> Tensor:
        if point.scale == 1.0:
            # A copy, since some models (Falcon) add to a branch's output in place.
            return change(value).to(value, copy=True)
        x = value.float() * point.scale
        # By the difference, so that what is left as it is stays so bit for bit.
        return (value.float() + (change(x.clone()) - x) / point.scale).to(value.dtype)

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


def unembedding(lm: LanguageModel) -> tuple[Tensor, Tensor | None]:
    """Return (W_U (D, V), the final norm's weight (D,) or None), float32 on the model's device.

    A decoder direction d raises the logits by (d · norm weight) @ W_U, up to the norm's scale.
    """
    with lm.lock, torch.no_grad():
        head = lm.model.get_output_embeddings()
        weight = head.weight if head is not None else lm.model.get_input_embeddings().weight
        norm = _final_norm(lm.model)
        return weight.detach().float().T, None if norm is None else norm.detach().float()


def _final_norm(model: nn.Module) -> Tensor | None:
    for name in ("norm", "ln_f", "final_layer_norm", "final_layernorm"):
        for path, module in model.named_modules():
            parts = path.split(".")
            if parts[-1] == name and not any(part.isdigit() for part in parts):
                weight = getattr(module, "weight", None)
                if not isinstance(weight, Tensor):
                    return None
                # Gemma's RMSNorm scales by 1 + weight.
                return weight + 1.0 if "Gemma" in type(module).__name__ else weight
    return None
