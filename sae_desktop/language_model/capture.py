"""Reading a site: a forward pass that ends where the value has been read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sae_desktop.language_model.sites import HookPoint, Site, hook_point

if TYPE_CHECKING:
    from sae_desktop.language_model.load import LanguageModel


class _ReachedError(Exception):
    """Ends the forward pass once the site's value is known."""


def capture(
    lm: LanguageModel, input_ids: Tensor, attention_mask: Tensor | None, site: Site
) -> Tensor:
    """Return the value at `site`, float32, shape (B, S, D); nothing after it is computed.

    `input_ids` (B, S) are padded on the right. A causal model's value at a token does not see
    what follows it, so `attention_mask` (B, S) may be None even then, which is faster; what
    comes back at the padding has no meaning.
    Raises UserError for a site the model lacks.
    """
    with lm.lock:
        point = hook_point(lm.model, site)
        found: list[Tensor] = []

        def keep(value: Tensor) -> None:
            found.append(value)
            raise _ReachedError

        handle = watch(point, keep)
        try:
            with torch.no_grad():
                lm.model.base_model(
                    input_ids=input_ids.to(lm.device),
                    attention_mask=None if attention_mask is None else attention_mask.to(lm.device),
                    use_cache=False,
                )
        except _ReachedError:
            pass
        finally:
            handle.remove()
    rows, length = input_ids.shape
    return found[0].detach().reshape(rows, length, -1).float()


def watch(point: HookPoint, see: Any) -> Any:
    """Call `see(value)` whenever the point's value passes; return the hook's handle."""
    if point.side == "output":

        def after(module: nn.Module, args: Any, output: Any) -> None:
            see(output[0] if isinstance(output, tuple) else output)

        return point.module.register_forward_hook(after)

    def before(module: nn.Module, args: Any, kwargs: Any) -> None:
        see(args[0] if args else kwargs["hidden_states"])

    return point.module.register_forward_pre_hook(before, with_kwargs=True)
