"""Sites by the field's names: `blocks.{layer}.{hook}`. Free of torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from sae_desktop.errors import UserError

Hook = Literal[
    "hook_resid_pre",
    "attn.hook_z",
    "hook_attn_out",
    "hook_resid_mid",
    "mlp.hook_in",
    "mlp.hook_post",
    "hook_mlp_out",
    "hook_resid_post",
]
HOOKS: tuple[Hook, ...] = (
    "hook_resid_pre",
    "attn.hook_z",
    "hook_attn_out",
    "hook_resid_mid",
    "mlp.hook_in",
    "mlp.hook_post",
    "hook_mlp_out",
    "hook_resid_post",
)
"""In the order of the forward pass. `attn.hook_z` is the outputs of the attention heads side by
side, before the output projection; `mlp.hook_in` what the MLP itself reads, after the norm where
there is one before it; `mlp.hook_post` its neurons, after activation and gate."""
_SITE = re.compile(r"blocks\.(\d{1,5})\.(" + "|".join(map(re.escape, HOOKS)) + r")")


@dataclass(frozen=True)
class Site:
    """A place in a model: `layer` counted from 0."""

    layer: int
    hook: Hook

    def __str__(self) -> str:
        return f"blocks.{self.layer}.{self.hook}"


def parse_site(name: str) -> Site:
    """Return the site called `name`, such as "blocks.3.hook_resid_post".

    Raises UserError when it is not of that form.
    """
    match = _SITE.fullmatch(name.strip())
    if match is None:
        raise UserError(
            f"“{name}” is no site.",
            next_step=f"A site is written blocks.LAYER.HOOK, such as blocks.3.hook_resid_post; "
            f"the hooks are {', '.join(HOOKS)}.",
        )
    hook = next(hook for hook in HOOKS if hook == match[2])
    return Site(int(match[1]), hook)
