"""Sites by the field's names: `blocks.{layer}.{hook}`. Free of torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from sae_desktop.errors import UserError

Hook = Literal[
    "hook_resid_pre",
    "hook_resid_pre.centred",
    "ln1.hook_normalized",
    "attn.hook_in",
    "attn.hook_z",
    "hook_attn_out",
    "hook_attn_out.centred",
    "hook_resid_mid",
    "hook_resid_mid.centred",
    "ln2.hook_normalized",
    "mlp.hook_in",
    "mlp.hook_post",
    "hook_mlp_out",
    "hook_mlp_out.centred",
    "hook_resid_post",
    "hook_resid_post.centred",
]
HOOKS: tuple[Hook, ...] = get_args(Hook)
"""In the order of the forward pass. `ln1.hook_normalized` and `ln2.hook_normalized` are what the
norms before attention and MLP make of the stream before their gain (and bias) is applied:
x / rms(x), of a LayerNorm (x − mean) / standard deviation. `attn.hook_in` and `mlp.hook_in` are
what attention and MLP themselves read, after the norm where there is one before them.
`attn.hook_z` is the outputs of the attention heads side by side, before the output projection;
`mlp.hook_post` the MLP's neurons, after activation and gate. A hook that ends with `.centred` is
the one before it less its mean over the coordinates: what it is in a model whose writing weights
were centred, which computes the same where every norm is a LayerNorm."""
_CENTRED = ".centred"
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
            f"“{name}” is not a site.",
            next_step=f"A site is written blocks.LAYER.HOOK, such as blocks.3.hook_resid_post; "
            f"the hooks are {', '.join(HOOKS)}.",
        )
    hook = _hook(match[2])
    assert hook is not None
    return Site(int(match[1]), hook)


def centred(hook: Hook) -> Hook | None:
    """Return the hook whose value is that of `hook` less its mean; None where there is none."""
    return _hook(f"{hook}{_CENTRED}")


def uncentred(hook: Hook) -> Hook:
    """Return the hook of which a centred one takes the mean off; another hook as it is."""
    return _hook(hook.removesuffix(_CENTRED)) or hook


def is_centred(hook: Hook) -> bool:
    """Return whether the value at a hook is less its mean."""
    return hook.endswith(_CENTRED)


def _hook(name: str) -> Hook | None:
    return next((hook for hook in HOOKS if hook == name), None)
