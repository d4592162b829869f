"""What the Harvest panel checks, names and says. Free of Qt."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from sae_desktop.activations.config import HarvestConfig, HarvestEstimate
from sae_desktop.corpus.config import CorpusDescription
from sae_desktop.errors import UserError
from sae_desktop.gui.amounts import bytes_text, count_text, duration_words, exact_count
from sae_desktop.gui.inventory import StoreItem
from sae_desktop.language_model.config import ModelDescription
from sae_desktop.project import checked_name

_SITE = re.compile(r"blocks\.(\d+)\.(hook_\w+|attn\.hook_z|mlp\.hook_(?:in|post))")
HOOK_TEXTS = {
    "hook_resid_pre": "residual stream before the layer",
    "attn.hook_z": "outputs of the attention heads",
    "hook_attn_out": "what attention adds",
    "hook_resid_mid": "residual stream after attention",
    "mlp.hook_in": "what the MLP reads",
    "mlp.hook_post": "neurons of the MLP",
    "hook_mlp_out": "what the MLP adds",
    "hook_resid_post": "residual stream after the layer",
}


@dataclass(frozen=True)
class SitePoint:
    """A site as the drawing of the layers knows it."""

    site: str
    layer: int
    hook: str


def site_points(sites: list[str]) -> list[SitePoint]:
    """Return the sites that lie in layers and have a place in the drawing, in the order given."""
    found = ((site, _SITE.fullmatch(site)) for site in sites)
    return [
        SitePoint(site, int(m[1]), m[2])
        for site, m in found
        if m is not None and m[2].startswith("hook_")
    ]


def site_text(site: str) -> str:
    """Return a site in words: "Layer 3: residual stream after the layer"."""
    match = _SITE.fullmatch(site)
    if match is None:
        return site
    return f"Layer {match[1]}: {HOOK_TEXTS.get(match[2], match[2])}"


def further_sites_text(count: int) -> str:
    """Return how many sites are kept beside the chosen one."""
    if not count:
        return "No further sites"
    return "1 further site" if count == 1 else f"{count} further sites"


def default_name(config: HarvestConfig, taken: list[str]) -> str:
    """Return a name that tells model, layer and hook, with a number where it is taken."""
    model = re.sub(r"[^A-Za-z0-9_+-]+", "-", config.model.rstrip("/").rsplit("/", 1)[-1])
    match = _SITE.fullmatch(config.site)
    place = f"L{match[1]}-{match[2].removeprefix('hook_')}" if match else config.site
    name = f"{model.strip('-') or 'model'}-{place}".replace(" ", "-")[:70]
    numbers = (f"{name}-{n}" for n in range(2, len(taken) + 3))
    return name if name not in taken else next(n for n in numbers if n not in taken)


def problems(
    config: HarvestConfig, model: ModelDescription | None, stores: list[StoreItem]
) -> dict[str, str]:
    """Return field → why the harvest cannot start; empty when it can."""
    found: dict[str, str] = {}
    try:
        checked_name(config.name)
    except UserError as error:
        found["name"] = str(error)
    same = next((store for store in stores if store.name == config.name), None)
    if same is not None and not _resumes(config, same):
        found["name"] = f"“{config.name}” holds another harvest. Choose another name."
    if not config.model:
        found["model"] = "Choose a model."
    if not config.corpus:
        found["corpus"] = "Choose a text."
    if model is not None:
        if not model.cached:
            found["model"] = "The model is not on this machine yet."
        if config.site not in model.sites:
            found["site"] = "Choose a site of the model."
        if model.context_size and config.context_size > model.context_size:
            found["context_size"] = f"The model reads {exact_count(model.context_size)} at most."
    return found


def _resumes(config: HarvestConfig, store: StoreItem) -> bool:
    if store.harvest is None or store.complete:
        return False
    made = msgspec.structs.replace(store.harvest, project=config.project, device=config.device)
    return made == config


def estimate_text(estimate: HarvestEstimate, tokens: int) -> str:
    """Return the estimate in a sentence."""
    parts = [
        f"≈ {bytes_text(estimate.bytes)} on disk ({bytes_text(estimate.free_bytes)} free)",
        f"{duration_words(estimate.seconds)} at {count_text(estimate.tokens_per_second)} tokens/s",
    ]
    if estimate.memory_bytes:
        parts.append(f"{bytes_text(estimate.memory_bytes)} of memory")
    return f"{exact_count(tokens)} tokens: " + ", ".join(parts) + "."


def room_problem(estimate: HarvestEstimate) -> str:
    """Return why the disk does not do; empty when it does."""
    if estimate.bytes <= estimate.free_bytes:
        return ""
    missing = bytes_text(estimate.bytes - estimate.free_bytes)
    return f"The disk lacks {missing} for it. Harvest fewer tokens, or free some room."


def model_figures(model: ModelDescription) -> list[tuple[str, str]]:
    """Return what a model's card says."""
    figures = [
        ("Architecture", model.architecture),
        ("Layers × width", f"{model.layers} × {exact_count(model.width)}"),
        ("Vocabulary", f"{exact_count(model.vocabulary)} tokens"),
        ("Context", f"{exact_count(model.context_size)} tokens"),
    ]
    if model.parameters:
        figures.append(("Parameters", count_text(model.parameters)))
    return figures


def corpus_text(corpus: CorpusDescription) -> str:
    """Return a corpus in a sentence."""
    documents = f"{exact_count(corpus.documents)} documents, " if corpus.documents >= 0 else ""
    text = f"{documents}{bytes_text(corpus.bytes)}"
    languages = [language for language in corpus.languages if language]
    if len(languages) > 6:
        text += f", {len(languages)} languages"
    elif languages:
        text += ": " + ", ".join(languages)
    return text + "."
