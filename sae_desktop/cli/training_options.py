"""The options that describe a training, for every command that runs one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.store import ActivationStore
from sae_desktop.cli.config_options import (
    Choice,
    Settings,
    keyword,
    own_parameters,
    parameter,
    with_signature,
)
from sae_desktop.cli.harvest_options import STREAM_CHOICES, STREAM_PANEL
from sae_desktop.cli.usual_site import usual_sites
from sae_desktop.described import default
from sae_desktop.described import settings as settings_of
from sae_desktop.engine.environment import prepare_environment
from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.training.config import USUAL_EXPANSION, TrainConfig
from sae_desktop.training.run_folder import read_summary
from sae_desktop.training.settings_check import setting_problems
from sae_desktop.training.start_from import taken_over, why_not
from sae_desktop.training.usual import USUAL_PASSES, usual_features, usual_tokens

_ITS_OWN = "with --start-from that dictionary’s"


def _usual(field: str) -> str:
    return str(default(TrainConfig, field))


_OPTIONS = {
    "sites": Choice("sites", name="--site"),
    "output_sites": Choice("output_sites", name="--output-site"),
    "target": Choice("target", fitted=f"{_usual('target')}; {_ITS_OWN}"),
    "architecture": Choice("architecture", fitted=f"{_usual('architecture')}; {_ITS_OWN}"),
    "k": Choice("k", fitted=f"{_usual('k')}; {_ITS_OWN}, where that is known"),
    "features": Choice("features", fitted=f"{USUAL_EXPANSION} times the width; {_ITS_OWN}"),
    "tokens": Choice("tokens", fitted=f"all of them, of a small store up to {USUAL_PASSES} times"),
}
"""Fields whose option is not simply the field."""
_TRAIN = tuple(
    _OPTIONS.get(field, Choice(field)) for field in settings_of(TrainConfig) if field != "name"
)


def with_training_options(
    *, without: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of TrainConfig; it receives them as `settings`.

    `without`: fields for which the command has its own options.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        train = [parameter(TrainConfig, c, c.field) for c in _TRAIN if c.field not in without]
        harvest = [parameter(HarvestConfig, c, f"stream_{c.field}") for c in STREAM_CHOICES]

        @functools.wraps(command)
        def run(**given: Any) -> None:
            settings = {p.name: given.pop(p.name) for p in train}
            streamed = given.pop(_STREAM_FLAG.name)
            of_harvest = {
                c.field: given.pop(p.name) for c, p in zip(STREAM_CHOICES, harvest, strict=True)
            }
            asks = "sites" not in without
            streaming = of_harvest if streamed else None
            command(**given, settings=_settings(settings, streaming, asks_sites=asks))

        parameters = [*own_parameters(command), *train, _STREAM_FLAG, *harvest]
        return with_signature(run, parameters)

    return decorate


_STREAM_FLAG = keyword(
    "stream",
    False,
    Annotated[
        bool,
        typer.Option(
            "--stream",
            help="Train while harvesting, without a store.",
            rich_help_panel=STREAM_PANEL,
        ),
    ],
)


def _settings(train: Settings, harvest: Settings | None, *, asks_sites: bool) -> Settings:
    """Return checked settings. Raises typer.BadParameter for those that cannot be combined.

    Where sites are not asked for, they follow from what is trained.
    """
    for field in ("sites", "output_sites", "other_activations") if asks_sites else ():
        train[field] = tuple(train[field] or ())
    if harvest is None:
        if not train["activations"]:
            raise typer.BadParameter("name a store, or --stream", param_hint="--activations")
        return train
    if train["activations"]:
        raise typer.BadParameter("replaces --activations", param_hint="--stream")
    # A stream writes no store: its name and project name nothing.
    train["stream"] = HarvestConfig(project="", name="stream", **harvest)
    if asks_sites:
        site, *further = train["sites"] or usual_sites(harvest)
        train["stream"] = msgspec.structs.replace(train["stream"], site=site, sites=tuple(further))
    return train


def architecture_settings(name: str) -> tuple[str, ...]:
    """Return which fields an architecture uses. Raises typer.BadParameter if there is none."""
    prepare_environment()
    from sae_desktop.dictionary.architectures import ARCHITECTURES

    if name not in ARCHITECTURES:
        there = ", ".join(sorted(ARCHITECTURES))
        raise typer.BadParameter(f"“{name}” is not one of {there}", param_hint="--architecture")
    return ARCHITECTURES[name].settings


def train_config(project: Path, name: str, settings: Settings) -> TrainConfig:
    """Return the config of a training. Raises typer.BadParameter for one that cannot work."""
    config = TrainConfig(project=str(project), name=name, **fitted(project, settings))
    for field, why in setting_problems(config, architecture_settings(config.architecture)).items():
        raise typer.BadParameter(f"{getattr(config, field)}: {why}", param_hint=flag_of(field))
    return config


def fitted(project: Path, settings: Settings) -> Settings:
    """Return the settings; what was not given suits the store, or is the default."""
    given = {field: value for field, value in settings.items() if value is not None}
    found = _of_parent(project, given.get("start_from", "")) | given
    missing = [field for field in ("features", "tokens") if field not in found]
    store = _store(project, settings.get("activations", "")) if missing else None
    if store is None or not store.rows:
        return found
    sites = [site for site in settings.get("sites", ()) if site in store.info.sites]
    width = store.width(sites[0] if sites else None)
    usual = {"features": usual_features(width), "tokens": usual_tokens(store.rows, found["batch"])}
    return found | {field: usual[field] for field in missing}


def _of_parent(project: Path, name: str) -> Settings:
    """Return the settings taken over from a dictionary; none where the job says why."""
    try:
        parent = read_summary(Project.open(project).dictionary_path(name)) if name else None
    except UserError:
        return {}
    return {} if parent is None or why_not(parent) else taken_over(parent)


def _store(project: Path, name: str) -> ActivationStore | None:
    """Return a store; None if there is none that can be read: the job says why."""
    try:
        return ActivationStore.open(Project.open(project).store_path(name)) if name else None
    except UserError:
        return None


def flag_of(field: str) -> str:
    """Return the option that sets a field of TrainConfig."""
    return next(choice.flag for choice in _TRAIN if choice.field == field)
