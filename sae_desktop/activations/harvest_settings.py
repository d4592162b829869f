"""Whether a harvest may continue in a store that is there."""

from __future__ import annotations

import msgspec

from sae_desktop.activations.config import HarvestConfig, differing_settings, made_harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.errors import UserError


def as_begun(config: HarvestConfig, store: ActivationStore) -> HarvestConfig:
    """Return the harvest with the order of a store from before there was one to choose."""
    made = msgspec.json.decode(store.info.config)
    old = isinstance(made, dict) and "packing" in made and "order" not in made
    return msgspec.structs.replace(config, order="files") if old else config


def check_same_settings(config: HarvestConfig, store: ActivationStore) -> None:
    """Raise UserError that names the settings in which the store of that name differs."""
    kept = f"Its {store.rows:,} tokens are unchanged."
    other_name = "Harvest under another name."
    try:
        made = made_harvest(store.info.config)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"The name “{config.name}” is taken by activations from another source.",
            kept=kept,
            next_step=other_name,
        ) from error
    names = differing_settings(made, config)
    if names:
        described = "; ".join(
            f"{name} is {getattr(made, name)!r} there and {getattr(config, name)!r} here"
            for name in names
        )
        raise UserError(
            f"There is already a store “{config.name}” with other settings: {described}.",
            kept=kept,
            next_step="Use the same settings to resume it, or another name.",
        )
    if store.rows < config.tokens and store.statistics() is None:
        raise UserError(
            f"The store “{config.name}” was started by an earlier SAE Desktop.",
            kept=kept + " You can still train on them.",
            next_step=other_name,
        )
