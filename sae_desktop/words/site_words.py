"""Sites in words, and where they are in a model's layers. Free of Qt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sae_desktop.language_model.config import ModelDescription
from sae_desktop.words.amounts import exact_count

_SITE = re.compile(r"blocks\.(\d+)\.([\w.]+)")
HOOK_TEXTS = {
    "hook_resid_pre": "residual stream before",
    "attn.hook_z": "head outputs",
    "hook_attn_out": "attention output",
    "hook_resid_mid": "residual stream between",
    "mlp.hook_in": "MLP input",
    "mlp.hook_post": "MLP neurons",
    "hook_mlp_out": "MLP output",
    "hook_resid_post": "residual stream after",
}
"""What the drawing has a place for, in the order of the forward pass."""
VARIANT_TEXTS = {
    "hook_resid_pre.centred": ("residual stream before, minus its mean", "hook_resid_pre"),
    "ln1.hook_normalized": ("attention input before the norm’s gain", "hook_resid_pre"),
    "attn.hook_in": ("attention input", "hook_resid_pre"),
    "hook_attn_out.centred": ("attention output, minus its mean", "hook_attn_out"),
    "hook_resid_mid.centred": ("residual stream between, minus its mean", "hook_resid_mid"),
    "ln2.hook_normalized": ("MLP input before the norm’s gain", "mlp.hook_in"),
    "hook_mlp_out.centred": ("MLP output, minus its mean", "hook_mlp_out"),
    "hook_resid_post.centred": ("residual stream after, minus its mean", "hook_resid_post"),
}
"""What public dictionaries were trained on besides: in words, and beside which drawn site it is."""
_ORDER = {hook: number for number, hook in enumerate(HOOK_TEXTS)}


@dataclass(frozen=True)
class SitePoint:
    """A site as the drawing of the layers knows it."""

    site: str
    layer: int
    hook: str

    @property
    def place(self) -> tuple[int, int]:
        """When it is computed: of two sites the later one has the greater place."""
        return (self.layer, _ORDER[self.hook])


def site_points(sites: Sequence[str]) -> list[SitePoint]:
    """Return the sites that have a place in the drawing, in the order of the forward pass."""
    found = ((site, _SITE.fullmatch(site)) for site in sites)
    points = [
        SitePoint(site, int(m[1]), m[2]) for site, m in found if m is not None and m[2] in _ORDER
    ]
    return sorted(points, key=lambda point: point.place)


def site_text(site: str, shape: str = "") -> str:
    """Return a site in words: “Layer 15: MLP neurons, 1,536 wide”."""
    match = _SITE.fullmatch(site)
    text = f"Layer {match[1]}: {_hook_text(match[2])}" if match else site
    return f"{text}, {shape}" if shape else text


def _hook_text(hook: str) -> str:
    return HOOK_TEXTS.get(hook) or VARIANT_TEXTS.get(hook, (hook, ""))[0]


def variant_points(sites: Sequence[str]) -> list[SitePoint]:
    """Return the sites that the drawing shows beside another, at the place of that other."""
    found = ((site, _SITE.fullmatch(site)) for site in sites)
    return [
        SitePoint(site, int(m[1]), VARIANT_TEXTS[m[2]][1])
        for site, m in found
        if m is not None and m[2] in VARIANT_TEXTS
    ]


def site_tag(site: str) -> str:
    """Return a site as part of a name: “L15-mlp_post”."""
    match = _SITE.fullmatch(site)
    if match is None:
        return site
    hook = match[2].removeprefix("hook_").replace(".hook_", "_").replace(".", "_")
    return f"L{match[1]}-{hook}"


def site_shapes(model: ModelDescription) -> dict[str, str]:
    """Return site → its shape in words: “9 heads × 64”, “576 wide”."""
    found = {}
    for number, site in enumerate(model.sites):
        shape = model.site_shapes[number] if number < len(model.site_shapes) else ""
        width = model.site_widths[number] if number < len(model.site_widths) else model.width
        # A shape that is one number is a width.
        plain = not shape or shape.replace(",", "").isdigit()
        found[site] = f"{exact_count(width)} wide" if plain else shape
    return found


def same_hook(sites: Sequence[str], site: str) -> list[str]:
    """Return the sites with the hook of `site`, of every layer."""
    hook = _hook_of(site)
    return [other for other in sites if hook and _hook_of(other) == hook]


def _hook_of(site: str) -> str:
    match = _SITE.fullmatch(site)
    return match[2] if match and (match[2] in HOOK_TEXTS or match[2] in VARIANT_TEXTS) else ""


def same_layer(sites: Sequence[str], site: str) -> list[str]:
    """Return the drawn sites in the layer of `site`."""
    drawn = site_points(sites)
    known = [*drawn, *variant_points([site])]
    layer = next((point.layer for point in known if point.site == site), None)
    return [point.site for point in drawn if point.layer == layer]


def unnamed_sites(sites: Sequence[str]) -> list[str]:
    """Return the sites that have no place in the drawing, nor beside one of it."""
    drawn = {point.site for point in [*site_points(sites), *variant_points(sites)]}
    return [site for site in sites if site not in drawn]
