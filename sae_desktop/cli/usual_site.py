"""The site a command reads if none is named: the middle of the model."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.store import ActivationStore
from sae_desktop.cli.config_options import Settings
from sae_desktop.described import default
from sae_desktop.engine.environment import prepare_environment
from sae_desktop.engine.run import run_job
from sae_desktop.errors import UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.config import DescribeModelConfig


def usual_sites(harvest: Settings, store: Path | None = None) -> list[str]:
    """Return the sites of an existing store, else the model's middle layer.

    A harvest without `--site` thus resumes the store it began. For a model that cannot be described
    it is the default of the built-in one: the harvest says what is wrong.
    """
    made = _sites_of(store) if store is not None else []
    if made:
        return made
    prepare_environment()
    asked = DescribeModelConfig(
        model=harvest["model"],
        dtype=harvest["model_dtype"],
        device=harvest.get("device", "auto"),
    )
    try:
        found = getattr(run_job(asked, SilentContext()), "default_site", "")
    except UserError:
        found = ""
    return [found or default(HarvestConfig, "site")]


def _sites_of(store: Path) -> list[str]:
    if not (store / "000.h5").is_file():
        return []
    try:
        config = ActivationStore.open(store).info.config
        made = msgspec.json.decode(config, type=HarvestConfig)
    except (UserError, msgspec.DecodeError):
        return []
    return [made.site, *made.sites]
