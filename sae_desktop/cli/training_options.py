"""The options that describe a training, for every command that runs one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any

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
from sae_desktop.engine.environment import prepare_environment
from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.settings_check import setting_problems
from sae_desktop.training.usual import (
    USUAL_EXPANSION,
    USUAL_PASSES,
    usual_features,
    usual_tokens,
)

_DATA = "Data"
_DICTIONARY = "Dictionary"
_RECIPE = "Recipe"
_RUN = "Run"


_TRAIN = (
    Choice("activations", _DATA, "Store to train on."),
    Choice("target", _DATA, "What is reconstructed."),
    Choice("sites", _DATA, "Site to read; may be repeated. Default: the first.", name="--site"),
    Choice(
        "output_sites", _DATA, "Site to write; may be repeated (transcoders).", name="--output-site"
    ),
    Choice("other_activations", _DATA, "Second store of the same tokens (crosscoder of models)."),
    Choice("exclude_massive", _DATA, "Leave out rows whose norm is above ten times the median."),
    Choice(
        "centre",
        _DATA,
        "Subtract the mean from the rows; auto: if it is large compared with the spread.",
    ),
    Choice("architecture", _DICTIONARY, "See “sae-desktop architectures”."),
    Choice(
        "features",
        _DICTIONARY,
        f"Features of the dictionary; default: {USUAL_EXPANSION} times the width.",
        fitted=True,
    ),
    Choice("k", _DICTIONARY, "Features active per row (…topk, matryoshka, jumprelu)."),
    Choice(
        "sparsity",
        _DICTIONARY,
        "λ, the weight of the sparsity loss; default: the architecture's (standard…).",
    ),
    Choice(
        "init",
        _DICTIONARY,
        "Start from random directions or rows of the data (auto: transcoders).",
    ),
    Choice("aux_weight", _DICTIONARY, "α of AuxK, which revives dead features."),
    Choice(
        "threshold_decay", _DICTIONARY, "Memory of the running mean that becomes the threshold."
    ),
    Choice("resample", _DICTIONARY, "Reinitialise dead features from badly reconstructed rows."),
    Choice(
        "tokens",
        _RECIPE,
        f"Rows to train on, counting repeated passes; default: all, small stores {USUAL_PASSES} "
        "times.",
        fitted=True,
    ),
    Choice("batch", _RECIPE, "Rows per step."),
    Choice("lr", _RECIPE, "Learning rate; 0: chosen by architecture and size."),
    Choice("lr_warm_up", _RECIPE, "Share of the run over which the learning rate rises."),
    Choice("lr_decay", _RECIPE, "Last share of the run, over which the learning rate falls to 0."),
    Choice(
        "sparsity_warm_up",
        _RECIPE,
        "Share of the run over which λ rises; default: the architecture's.",
    ),
    Choice("gradient_clip", _RECIPE, "Largest gradient norm allowed; 0: no limit."),
    Choice("seed", _RECIPE, "Seed of the weights and of the row order."),
    Choice("precision", _RUN, "Precision of the matrix products; auto: bfloat16 where native."),
    Choice("device", _RUN, "auto, cpu, cuda, cuda:1, mps."),
    Choice("dead_window", _RUN, "Rows of silence until a feature counts as dead."),
    Choice("metric_rows", _RUN, "Rows the curves are measured on."),
    Choice("measure_loss", _RUN, "Measure the loss recovered, in at most a tenth of the time."),
    Choice("checkpoint_seconds", _RUN, "Time between checkpoints."),
    Choice("keep_checkpoints", _RUN, "How many of the latest checkpoints to keep."),
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
            command(**given, settings=_settings(settings, of_harvest if streamed else None))

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


def _settings(train: Settings, harvest: Settings | None) -> Settings:
    """Return checked settings. Raises typer.BadParameter for those that cannot be combined."""
    for field in ("sites", "output_sites"):
        train[field] = tuple(train[field] or ())
    if harvest is None:
        if not train["activations"]:
            raise typer.BadParameter("name a store, or --stream", param_hint="--activations")
        return train
    if train["activations"]:
        raise typer.BadParameter("replaces --activations", param_hint="--stream")
    # A stream writes no store: its name and project name nothing.
    site, *further = train["sites"] or usual_sites(harvest)
    train["stream"] = HarvestConfig(
        project="", name="stream", site=site, sites=tuple(further), **harvest
    )
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
    missing = [field for field in ("features", "tokens") if settings.get(field) is None]
    found = {field: value for field, value in settings.items() if field not in missing}
    store = _store(project, settings.get("activations", "")) if missing else None
    if store is None or not store.rows:
        return found
    sites = [site for site in settings["sites"] if site in store.info.sites]
    width = store.width(sites[0] if sites else None)
    usual = {"features": usual_features(width), "tokens": usual_tokens(store.rows, found["batch"])}
    return found | {field: usual[field] for field in missing}


def _store(project: Path, name: str) -> ActivationStore | None:
    """Return a store; None if there is none that can be read: the job says why."""
    try:
        return ActivationStore.open(Project.open(project).store_path(name)) if name else None
    except UserError:
        return None


def flag_of(field: str) -> str:
    """Return the option that sets a field of TrainConfig."""
    return next(choice.flag for choice in _TRAIN if choice.field == field)
