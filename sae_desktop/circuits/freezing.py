"""Attention patterns and norm denominators, kept from one forward pass and used in others.

With both kept, what a decoder makes of its embeddings and of what its MLPs write is affine:
attention is a fixed mixing of positions, a norm a fixed scaling. B texts, H heads, T tokens, D
width.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.norms import takes_mean_off
from sae_desktop.language_model.sites.resolve import decoder_layers, text_config

Mode = Literal["record", "frozen", "free"]
"""Keep what is computed, use what was kept, or compute it and keep nothing."""

_NAME = "sae_desktop_freezing"
_OF_QUERIES = ("q_norm", "k_norm", "q_layernorm", "k_layernorm", "query_norm", "key_norm")
"""Norms that matter to the pattern alone."""
_NORM_TOLERANCE = 2e-2
"""Of a norm's largest output: below, 16-bit numbers; above, another formula."""
_current = threading.local()
See = Callable[[nn.Module, Tensor, Tensor, Tensor, float], None]
"""(attention module, queries (B, H, T, d), keys and values (B, K, T, d), scale of their products):
after any rotation, K heads of keys and values."""


@dataclass
class Freezer:
    """What is kept of one forward pass, and what is done with it in the next."""

    attention: Mode = "record"
    norms: Mode = "record"
    patterns: dict[nn.Module, Tensor] = field(default_factory=dict)
    """Attention module → (1, H, T, T), rows are the tokens that read."""
    scales: dict[nn.Module, Tensor] = field(default_factory=dict)
    """Norm → (1, T, 1), by which it multiplies before its gain."""
    gains: dict[nn.Module, Tensor | None] = field(default_factory=dict)
    normed: dict[nn.Module, Tensor] = field(default_factory=dict)
    """Norm → what it made of its input before its gain, in the last forward pass."""
    see: See | None = None
    """Is told what each layer’s attention works with."""
    of_queries: bool = False
    """Whether norms of queries and keys go the same way: where these matter, not the pattern."""

    def pattern(self, module: nn.Module, scores: Any) -> Tensor:
        if self.attention == "frozen":
            return self.patterns[module]
        found: Tensor = scores()
        if self.attention == "record":
            found = found.detach()
            self.patterns[module] = found
        return found

    def normalised(self, norm: nn.Module, x: Tensor, output: Tensor) -> Tensor:
        """Return what a norm gives for x (B, T, D), by the kept denominators if they are frozen."""
        x = x if x.dtype == torch.float64 else x.float()
        if takes_mean_off(norm):
            x = x - x.mean(dim=-1, keepdim=True)
        if self.norms == "frozen":
            scale = self.scales[norm]
        else:
            scale = torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + _epsilon(norm))
            if self.norms == "record":
                self.scales[norm] = scale = scale.detach()
        plain = x * scale
        self.normed[norm] = plain
        if self.norms == "record":
            self.gains[norm] = _gain_of(norm, plain.detach(), output.detach())
        gain = self.gains[norm]
        bias = getattr(norm, "bias", None)
        made = plain if gain is None else plain * gain
        if bias is not None:
            made = made + bias.detach().to(made.dtype)
        return made.to(output.dtype)


@contextmanager
def freezing(lm: LanguageModel, freezer: Freezer) -> Iterator[None]:
    """Let the model's attention and norms go through `freezer` inside the block.

    Holds the model's lock; gradients of parameters are off, so that only those of values are
    kept. Raises UserError for a norm whose formula is not known.
    """
    with lm.lock, ExitStack() as stack:
        for config in _configs(lm.model):
            stack.callback(setattr, config, "_attn_implementation", config._attn_implementation)
            config._attn_implementation = _NAME
        for norm in norms_of(lm.model, of_queries=freezer.of_queries):
            handle = norm.register_forward_hook(_through(freezer), with_kwargs=True)
            stack.callback(handle.remove)
        for parameter in lm.model.parameters():
            if parameter.requires_grad:
                stack.callback(parameter.requires_grad_, True)
                parameter.requires_grad_(False)
        before = getattr(_current, "freezer", None)
        stack.callback(setattr, _current, "freezer", before)
        _current.freezer = freezer
        yield


def norms_of(model: nn.Module, *, of_queries: bool = False) -> list[nn.Module]:
    """Return the norms that scale the stream or what a branch adds to it.

    With `of_queries` those of queries and keys, too.
    """
    return [
        module
        for name, module in model.named_modules()
        if "Norm" in type(module).__name__
        and not list(module.children())
        and (of_queries or name.rpartition(".")[2] not in _OF_QUERIES)
    ]


def require_frozen(lm: LanguageModel, freezer: Freezer) -> None:
    """Return if a forward pass kept the attention of every layer. Raises UserError."""
    for number, layer in enumerate(decoder_layers(lm.model)):
        if not any(module in freezer.patterns for module in layer.modules()):
            raise UserError(
                f"The attention of layer {number} of “{lm.name}” cannot be frozen: a "
                f"“{text_config(lm.model).model_type}” model computes it in its own way.",
                next_step="Choose a model such as Llama, GPT-2, Pythia, Gemma or Qwen.",
            )


def attention_of(freezer: Freezer, layer: nn.Module) -> nn.Module:
    """Return the module of a layer whose pattern was kept."""
    return next(module for module in layer.modules() if module in freezer.patterns)


def _configs(model: nn.Module) -> list[Any]:
    found: dict[int, Any] = {}
    for module in model.modules():
        config = getattr(module, "config", None)
        if config is not None and hasattr(config, "_attn_implementation"):
            found[id(config)] = config
    return list(found.values())


def _through(freezer: Freezer) -> Any:
    def hook(norm: nn.Module, args: Any, kwargs: Any, output: Tensor) -> Tensor:
        x = args[0] if args else kwargs["hidden_states"]
        return freezer.normalised(norm, x, output)

    return hook


def _epsilon(norm: Any) -> float:
    for name in ("variance_epsilon", "eps", "epsilon"):
        found = getattr(norm, name, None)
        if found is not None:
            return float(found)
    return 0.0


def _gain_of(norm: nn.Module, plain: Tensor, output: Tensor) -> Tensor | None:
    """Return the gain (D,) that makes of `plain` what the norm gave; Gemma's is 1 + its weight."""
    weight = getattr(norm, "weight", None)
    if weight is None:
        candidates: list[Tensor | None] = [None]
    else:
        weight = weight.detach().to(plain.dtype)
        candidates = [weight, 1 + weight]
    bias = getattr(norm, "bias", None)
    wanted = output.to(plain.dtype)
    if bias is not None:
        wanted = wanted - bias.detach().to(plain.dtype)
    size = float(wanted.abs().max())
    for gain in candidates:
        made = plain if gain is None else plain * gain
        if float((made - wanted).abs().max()) <= _NORM_TOLERANCE * max(size, 1e-6):
            return gain
    raise UserError(
        f"The norm “{type(norm).__name__}” of this model follows a formula that is not known here, "
        "so it cannot be frozen.",
        next_step="Choose a model such as Llama, GPT-2, Pythia, Gemma or Qwen.",
    )


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor]:
    """Attend as transformers' eager function does, with the pattern of the current freezer."""
    groups = query.shape[1] // key.shape[1]

    factor = query.shape[-1] ** -0.5 if scaling is None else scaling

    def scores() -> Tensor:
        keys = key.repeat_interleave(groups, dim=1) if groups > 1 else key
        found = torch.matmul(query, keys.transpose(2, 3)) * factor
        if softcap is not None:
            found = torch.tanh(found / softcap) * softcap
        if attention_mask is not None:
            found = found + attention_mask
        found = found if found.dtype == torch.float64 else found.float()
        sinks = kwargs.get("s_aux")
        if sinks is None:
            return torch.softmax(found, dim=-1).to(query.dtype)
        beside = sinks.reshape(1, -1, 1, 1).to(found).expand(*found.shape[:3], 1)
        return torch.softmax(torch.cat([found, beside], -1), dim=-1)[..., :-1].to(query.dtype)

    freezer: Freezer | None = getattr(_current, "freezer", None)
    if freezer is not None and freezer.see is not None:
        freezer.see(module, query, key, value, factor)
    pattern = scores() if freezer is None else freezer.pattern(module, scores)
    values = value.repeat_interleave(groups, dim=1) if groups > 1 else value
    if len(pattern) == len(values) == 1 and values.requires_grad and not pattern.requires_grad:
        mixed: Tensor = _Mixed.apply(pattern[0], values[0])[None]  # type: ignore[no-untyped-call]
    else:
        mixed = torch.matmul(pattern, values)
    return mixed.transpose(1, 2).contiguous(), pattern


class _Mixed(torch.autograd.Function):
    """A fixed pattern (H, T, T) times values (H, T, d)."""

    @staticmethod
    def forward(pattern: Tensor, values: Tensor) -> Tensor:
        return torch.matmul(pattern, values)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        (pattern,) = ctx.saved_tensors
        return None, _MixedBack.apply(pattern, grad)  # type: ignore[no-untyped-call]


class _MixedBack(torch.autograd.Function):
    """Its gradient by the values; of many at once, without a copy of the pattern for each."""

    @staticmethod
    def forward(pattern: Tensor, grad: Tensor) -> Tensor:
        return torch.matmul(pattern.transpose(-1, -2), grad)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], pattern: Tensor, grad: Tensor
    ) -> tuple[Tensor, int]:
        grads = grad.movedim(in_dims[1] or 0, 0)
        count, heads, tokens, width = grads.shape
        folded = grads.permute(1, 2, 0, 3).reshape(heads, tokens, count * width)
        made = torch.matmul(pattern.transpose(-1, -2), folded)
        return made.view(heads, tokens, count, width), 2


ALL_ATTENTION_FUNCTIONS.register(_NAME, _attention)
ALL_MASK_ATTENTION_FUNCTIONS.register(_NAME, eager_mask)
