"""Reading sites: a forward pass that ends where the last value has been read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sae_desktop.errors import UserError
from sae_desktop.language_model.sites.norms import plain_norm
from sae_desktop.language_model.sites.resolve import HookPoint, Site, hook_point
from sae_desktop.language_model.sites.site_names import HOOKS

if TYPE_CHECKING:
    from sae_desktop.language_model.load import LanguageModel, Network


class _ReachedError(Exception):
    """Ends the forward pass once every site's value is known."""


def capture(
    lm: LanguageModel, input_ids: Tensor, attention_mask: Tensor | None, site: Site
) -> Tensor:
    """Return the value at `site`, float32, shape (B, S, D): see `capture_sites`."""
    return capture_sites(lm, input_ids, attention_mask, [site])[site]


def capture_sites(
    lm: LanguageModel, input_ids: Tensor, attention_mask: Tensor | None, sites: Sequence[Site]
) -> dict[Site, Tensor]:
    """Return the values at `sites` of one forward pass, float32, each (B, S, D).

    As `visit_sites`, with copies that stay as they are.
    """
    found: dict[Site, Tensor] = {}

    def keep(site: Site, value_BSD: Tensor) -> None:
        # A copy: some models (Falcon) add to a branch's output in place afterwards.
        found[site] = value_BSD.to(torch.float32, copy=True)

    visit_sites(lm, input_ids, attention_mask, sites, keep)
    return found


def visit_sites(
    lm: LanguageModel,
    input_ids: Tensor,
    attention_mask: Tensor | None,
    sites: Sequence[Site],
    visit: Callable[[Site, Tensor], None],
) -> None:
    """Call `visit(site, value)` as each site's value passes in one forward pass.

    The value is the model's own tensor, in its dtype and on the device of its layer, (B, S, D):
    what is to be kept is copied at once. Where no tensor of the model holds it (a norm without
    its gain, a stream without its mean) it is float32. Nothing after the last site is computed.
    `input_ids` (B, S) are padded on the right. A causal model's value at a token does not see
    what follows it, so `attention_mask` (B, S) may be None even then, which is faster; an
    encoder's does, and needs the mask wherever there is padding. What comes at the padding has
    no meaning.
    Raises UserError for a site the model lacks, and for one that holds no vector a token.
    """
    inputs = {"input_ids": input_ids}
    if attention_mask is not None:
        inputs["attention_mask"] = attention_mask
    rows, length = input_ids.shape
    visit_inputs(lm, inputs, rows, length, sites, visit)


def visit_inputs(
    lm: Network,
    inputs: Mapping[str, Tensor],
    rows: int,
    length: int,
    sites: Sequence[Site],
    visit: Callable[[Site, Tensor], None],
) -> None:
    """As `visit_sites`, for whatever a model reads: `inputs` by the names of its forward pass.

    Of them come `rows` sequences of `length` tokens, some of which may be of pictures.
    """
    left = set(sites)
    if not left:
        return
    with lm.lock, ExitStack() as hooks:
        # In the order of the forward pass: some are at one and the same module.
        ordered = sorted(left, key=lambda site: (site.layer, HOOKS.index(site.hook)))
        points = {site: hook_point(lm.model, site) for site in ordered}

        def see(site: Site, value: Tensor) -> None:
            visit(site, by_token(value.detach(), rows, length, site))
            left.discard(site)
            if not left:
                raise _ReachedError

        for site, point in points.items():
            hooks.callback(watch(point, partial(see, site)).remove)
        with torch.no_grad(), suppress(_ReachedError):
            options = {"use_cache": False} if "input_ids" in inputs else {}
            lm.model.base_model(**{n: x.to(lm.device) for n, x in inputs.items()}, **options)


def by_token(value: Tensor, rows: int, length: int, site: Site) -> Tensor:
    """Return what passed at a site as (B, S, D).

    Some layers flatten windows and tokens into one. Raises UserError for any other shape.
    """
    if value.dim() == 2 and value.shape[0] == rows * length:
        value = value.reshape(rows, length, -1)
    if value.dim() != 3 or value.shape[:2] != (rows, length):
        raise UserError(
            f"The site “{site}” of this model does not hold one vector per token.",
            next_step="Choose a model such as Llama, Qwen, Gemma, GPT-2 or BERT.",
        )
    return value


def wide(x: Tensor) -> Tensor:
    """Return values in float32; those in float64 as they are."""
    return x if x.dtype == torch.float64 else x.float()


def centred_value(x: Tensor) -> Tensor:
    """Return values (…, D) less their mean over the coordinates, float32 or float64."""
    x = wide(x)
    return x - x.mean(dim=-1, keepdim=True)


def watch(point: HookPoint, see: Any) -> Any:
    """Call `see(value)` whenever the point's value passes; return the hook's handle."""
    if point.norm is not None:
        return _watch_norm(point.norm, see)
    scale, told = point.scale, see
    if point.centred:

        def told(value: Tensor) -> None:
            see(centred_value(value))

    if point.side == "output":

        def after(module: nn.Module, args: Any, output: Any) -> None:
            value = output[0] if isinstance(output, tuple | list) else output
            told(value if scale == 1.0 else value * scale)

        return point.module.register_forward_hook(after)

    def before(module: nn.Module, args: Any, kwargs: Any) -> None:
        told(_entering(args, kwargs))

    return point.module.register_forward_pre_hook(before, with_kwargs=True)


def _watch_norm(norm: nn.Module, see: Any) -> Any:
    """As `watch`, for what a norm makes of its input before its gain, float32."""
    plain: list[nn.Module] = []

    def before(module: nn.Module, args: Any, kwargs: Any) -> None:
        value = _entering(args, kwargs)
        if not plain:
            plain.append(plain_norm(norm, value.device))
        see(plain[0](wide(value)))

    return norm.register_forward_pre_hook(before, with_kwargs=True)


def _entering(args: Any, kwargs: Any) -> Any:
    return args[0] if args else kwargs["hidden_states"]
