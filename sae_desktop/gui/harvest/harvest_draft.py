"""What the Harvest panel checks, names and says. Free of Qt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sae_desktop.activations.config import HarvestConfig, HarvestEstimate, differing_settings
from sae_desktop.errors import UserError
from sae_desktop.language_model.config import ModelDescription
from sae_desktop.limits import beyond_limits
from sae_desktop.project import checked_name
from sae_desktop.storage.faults import format_bytes
from sae_desktop.storage.memory import limit_text
from sae_desktop.words.amounts import duration_words, exact_count, short_count
from sae_desktop.words.inventory import StoreItem
from sae_desktop.words.model_card import code_text
from sae_desktop.words.pictures_card import estimated_text
from sae_desktop.words.running_jobs import Written
from sae_desktop.words.site_words import site_tag

_FIELD_TEXTS = {
    "model": "model",
    "model_dtype": "precision",
    "site": "site",
    "sites": "further sites",
    "corpus": "text",
    "pictures": "pictures",
    "picture_tokens": "image tokens",
    "keep_pictures": "keeping the pictures",
    "subset": "subset",
    "split": "split",
    "text_column": "column",
    "chat_column": "column",
    "deduplicate": "duplicates",
    "seed": "seed",
    "context_size": "window length",
    "packing": "packing",
    "bos": "BOS policy",
    "special_tokens": "special tokens",
    "keep_first": "first tokens",
    "dtype": "storage",
}


def default_name(
    config: HarvestConfig, stores: Sequence[StoreItem], written: Written = frozenset()
) -> str:
    """Return a name that tells model, layer and hook, with a number where it is taken.

    Where a harvest of these settings was interrupted, it is that one's: it continues.
    """
    for store in stores:
        if store.harvest and not store.complete and ("store", store.name) not in written:
            same = config.tokens == store.rows_wanted and not _differences(config, store.harvest)
            if same:
                return store.name
    taken = [store.name for store in stores]
    model = config.model.rstrip("/").rsplit("/", 1)[-1].removesuffix(".gguf")
    parts = (re.sub(r"[^A-Za-z0-9_+-]+", "-", model).strip("-") or "model", site_tag(config.site))
    name = "-".join(part for part in parts if part).replace(" ", "-")[:70]
    if config.sites:
        name += f"+{len(config.sites)}"
    numbers = (f"{name}-{n}" for n in range(2, len(taken) + 3))
    return name if name not in taken else next(n for n in numbers if n not in taken)


@dataclass(frozen=True)
class StorePlan:
    """What a harvest does to the store of its name."""

    kind: Literal["new", "resume", "extend", "full", "taken"]
    store: str
    rows: int = 0
    """There already."""
    tokens: int = 0
    """Wanted in all."""
    differences: tuple[str, ...] = ()
    """For a taken name: in what the two harvests differ."""

    def sentence(self) -> str:
        """Return what will happen to a store that is there; empty for a new one."""
        if self.kind == "extend":
            return f"Adds {exact_count(self.tokens - self.rows)} tokens to “{self.store}”."
        if self.kind == "resume":
            left = exact_count(self.tokens - self.rows)
            return f"Resumes “{self.store}”: {exact_count(self.rows)} rows are done, {left} left."
        return ""


def store_plan(config: HarvestConfig, stores: list[StoreItem]) -> StorePlan:
    """Return whether a harvest makes a store, resumes or extends one, or can do neither."""
    store = next((item for item in stores if item.name == config.name), None)
    if store is None:
        return StorePlan("new", config.name, 0, config.tokens)
    differences = _differences(config, store.harvest) if store.harvest else ()
    if store.harvest is None or differences:
        return StorePlan("taken", store.name, store.rows, config.tokens, differences)
    if config.tokens <= store.rows:
        return StorePlan("full", store.name, store.rows, config.tokens)
    resumes = not store.complete and config.tokens == store.rows_wanted
    return StorePlan("resume" if resumes else "extend", store.name, store.rows, config.tokens)


def _differences(config: HarvestConfig, made: HarvestConfig) -> tuple[str, ...]:
    fields = differing_settings(made, config)
    return tuple(dict.fromkeys(_FIELD_TEXTS.get(field, field) for field in fields))


def problems(
    config: HarvestConfig, model: ModelDescription | None, stores: list[StoreItem]
) -> dict[str, str]:
    """Return field → why the harvest cannot start; empty when it can."""
    found = beyond_limits(config)
    if not config.model:
        found["model"] = "Choose a model."
    if not config.corpus:
        found["corpus"] = "Choose a text or pictures."
    if model is not None:
        found |= _model_problems(config, model)
    try:
        checked_name(config.name)
    except UserError as error:
        found["name"] = str(error)
    plan = store_plan(config, stores)
    if plan.kind == "taken":
        what = f" ({', '.join(plan.differences)})" if plan.differences else ""
        found["name"] = f"“{config.name}” holds a different harvest{what}. Choose another name."
    elif plan.kind == "full":
        found["tokens"] = (
            f"“{config.name}” holds {exact_count(plan.rows)} rows of this already. "
            "Ask for more to add to it."
        )
    return found


def _model_problems(config: HarvestConfig, model: ModelDescription) -> dict[str, str]:
    found: dict[str, str] = {}
    if not model.cached:
        found["model"] = "The model is not on this machine yet."
    elif code_text(model):
        found["model"] = "You have not trusted the model’s own program code yet."
    elif model.reads == "pictures" and not config.pictures:
        found["model"] = "The model reads pictures alone: choose pictures instead of a text."
    elif model.reads == "text" and config.pictures:
        found["model"] = (
            "The model reads no pictures: choose one that does, such as SmolVLM, LLaVA or CLIP."
        )
    missing = [site for site in (config.site, *config.sites) if site not in model.sites]
    if not config.site:
        found["site"] = "Choose a site of the model."
    elif missing:
        found["site"] = f"The model has no site “{missing[0]}”."
    if model.context_size and config.context_size > model.context_size:
        found["context_size"] = f"The model reads {exact_count(model.context_size)} at most."
    if config.overlap and config.packing == "packed":
        found["overlap"] = "Packed windows cannot overlap."
    elif config.overlap >= config.context_size - 1:
        found["overlap"] = "It must be shorter than a window."
    if config.bos == "always" and not config.pictures and model.cached and not model.bos_token:
        found["bos"] = "The model’s tokenizer has no BOS token."
    return found


def estimate_text(estimate: HarvestEstimate, config: HarvestConfig) -> str:
    """Return the estimate in a sentence: tokens, disk, time, memory, batch."""
    sites = 1 + len(config.sites)
    at = f" at {sites} sites" if sites > 1 else ""
    parts = [
        f"≈ {format_bytes(estimate.bytes)} on disk ({format_bytes(estimate.free_bytes)} free)",
        f"{duration_words(estimate.seconds)} at {short_count(estimate.tokens_per_second)} tokens "
        "per second",
    ]
    if estimate.memory_bytes:
        free = estimate.free_memory_bytes
        room = f" ({format_bytes(free)} free)" if free else ""
        parts.append(f"{format_bytes(estimate.memory_bytes)} of memory{room}")
    if estimate.batch_tokens:
        how = "" if config.batch_tokens else ", as detected"
        parts.append(f"{exact_count(estimate.batch_tokens)} tokens per pass{how}")
    text = f"{exact_count(config.tokens)} tokens{at}: " + "; ".join(parts) + "."
    return f"{estimated_text(estimate.pictures)} {text}" if estimate.pictures else text


def room_problem(estimate: HarvestEstimate) -> str:
    """Return why the disk does not do; empty when it does."""
    if estimate.bytes <= estimate.free_bytes:
        return ""
    missing = format_bytes(estimate.bytes - estimate.free_bytes)
    return f"The disk is {missing} short. Harvest fewer tokens, or free some space."


def memory_warning(estimate: HarvestEstimate) -> str:
    """Return that memory may not do; empty when it does, or where it is not known."""
    need, free = estimate.memory_bytes, estimate.free_memory_bytes
    if not free or need <= free:
        return ""
    return (
        f"It may not fit in memory: {format_bytes(need)} needed, {format_bytes(free)} free. "
        f"Choose a smaller batch or fewer bits.{limit_text()}"
    )
