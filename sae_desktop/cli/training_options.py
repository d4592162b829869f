"""The options that describe a training, once for every command that takes one."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import typer

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.cli.options import default, finite
from sae_desktop.engine.environment import prepare_environment
from sae_desktop.training.config import TrainConfig

Settings = dict[str, Any]
"""Field of TrainConfig → value, without its project and name."""

_DATA = "Data"
_STREAM = "Training while harvesting"
_DICTIONARY = "Dictionary"
_RECIPE = "Recipe"
_RUN = "Run"


class _Choice(NamedTuple):
    """One option: the config's field it sets, and how it stands in the help."""

    field: str
    panel: str
    help: str
    limits: dict[str, Any] = {}
    name: str = ""
    """Empty: the field's, with dashes."""

    @property
    def flag(self) -> str:
        return self.name or f"--{self.field.replace('_', '-')}"


_AT_LEAST_0 = {"min": 0}
_AT_LEAST_1 = {"min": 1}
_SHARE = {"min": 0, "max": 1}

_TRAIN = (
    _Choice("activations", _DATA, "Store to train on."),
    _Choice("target", _DATA, "What is reconstructed."),
    _Choice("sites", _DATA, "Site to read, may be repeated; none: the first.", name="--site"),
    _Choice(
        "output_sites", _DATA, "Site to write, may be repeated (transcoders).", name="--output-site"
    ),
    _Choice("other_activations", _DATA, "Second store of the same tokens (crosscoder of models)."),
    _Choice("exclude_massive", _DATA, "Leave out rows of over ten times the median norm."),
    _Choice("centre", _DATA, "Take the mean off the rows; auto: where it is large."),
    _Choice("architecture", _DICTIONARY, "See “sae-desktop architectures”."),
    _Choice("features", _DICTIONARY, "Features of the dictionary.", _AT_LEAST_1),
    _Choice("k", _DICTIONARY, "Features active per row (…topk, matryoshka).", _AT_LEAST_1),
    _Choice("sparsity", _DICTIONARY, "λ; none: the architecture's (standard…).", _AT_LEAST_0),
    _Choice("init", _DICTIONARY, "Directions at the start: random, or rows of the data."),
    _Choice("aux_weight", _DICTIONARY, "α of AuxK, which revives dead features.", _AT_LEAST_0),
    _Choice("threshold_decay", _DICTIONARY, "Memory of the threshold of inference.", _SHARE),
    _Choice("resample", _DICTIONARY, "Begin dead features anew where the fit is bad."),
    _Choice("tokens", _RECIPE, "Rows to consume, passes included.", _AT_LEAST_1),
    _Choice("batch", _RECIPE, "Rows in one step.", _AT_LEAST_1),
    _Choice("lr", _RECIPE, "Learning rate; 0: by architecture and size.", _AT_LEAST_0),
    _Choice("lr_warm_up", _RECIPE, "Share of the run over which it rises.", _SHARE),
    _Choice("lr_decay", _RECIPE, "Last share of the run, over which it falls.", _SHARE),
    _Choice("sparsity_warm_up", _RECIPE, "Share over which λ rises; none: as usual.", _SHARE),
    _Choice("gradient_clip", _RECIPE, "Largest norm of the gradient; 0: any.", _AT_LEAST_0),
    _Choice("seed", _RECIPE, "Seed of the weights and of the order of rows.", _AT_LEAST_0),
    _Choice("precision", _RUN, "Of dense products; auto: bfloat16 where it is native."),
    _Choice("device", _RUN, "auto, cpu, cuda, cuda:1, mps."),
    _Choice("dead_window", _RUN, "Rows of silence that make a feature dead.", _AT_LEAST_1),
    _Choice("metric_rows", _RUN, "Rows the curves are measured on.", _AT_LEAST_1),
    _Choice("checkpoint_seconds", _RUN, "Time between checkpoints.", _AT_LEAST_0),
    _Choice("keep_checkpoints", _RUN, "Checkpoints kept, the last ones.", _AT_LEAST_1),
)
_HARVEST = (
    _Choice("model", _STREAM, "builtin, smollm2, a folder, a .gguf file, a hub name."),
    _Choice("corpus", _STREAM, "builtin, or a text file or folder."),
    _Choice("context_size", _STREAM, "Tokens in a window.", {"min": 2}),
    _Choice("batch", _STREAM, "Windows in one forward pass.", _AT_LEAST_1, name="--windows"),
    _Choice("bos", _STREAM, "Begin each window with the BOS token."),
    _Choice("keep_first", _STREAM, "Keep the row of each window's first token."),
)


def with_training_options(
    *, without: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of TrainConfig; it receives them as `settings`.

    `without`: fields for which the command has options of its own.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        train = [_parameter(TrainConfig, c, c.field) for c in _TRAIN if c.field not in without]
        harvest = [_parameter(HarvestConfig, c, f"stream_{c.field}") for c in _HARVEST]

        @functools.wraps(command)
        def run(**given: Any) -> None:
            settings = {p.name: given.pop(p.name) for p in train}
            streamed = given.pop(_STREAM_FLAG.name)
            of_harvest = {
                c.field: given.pop(p.name) for c, p in zip(_HARVEST, harvest, strict=True)
            }
            command(**given, settings=_settings(settings, of_harvest if streamed else None))

        own = [p for p in _own_parameters(command) if p.name != "settings"]
        parameters = [*own, *train, _STREAM_FLAG, *harvest]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


def _own_parameters(command: Callable[..., None]) -> list[inspect.Parameter]:
    hints = typing.get_type_hints(command, include_extras=True)
    return [
        p.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])
        for name, p in inspect.signature(command).parameters.items()
    ]


def _parameter(config: type[msgspec.Struct], choice: _Choice, name: str) -> inspect.Parameter:
    kind = typing.get_type_hints(config)[choice.field]
    value = default(config, choice.field)
    if typing.get_origin(kind) is tuple:
        kind, value = list[str] | None, None
    numeric = float in (kind, *typing.get_args(kind))
    names = [choice.flag]
    if kind is bool:
        names = [f"{choice.flag}/--no-{choice.flag[2:]}"]
    option = typer.Option(
        *names,
        help=choice.help,
        rich_help_panel=choice.panel,
        callback=finite if numeric else None,
        **choice.limits,
    )
    return _keyword(name, value, Annotated[kind, option])


def _keyword(name: str, value: Any, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=value, annotation=annotation
    )


_STREAM_FLAG = _keyword(
    "stream",
    False,
    Annotated[
        bool,
        typer.Option(
            "--stream",
            help="Train on what a harvest gives, without a store.",
            rich_help_panel=_STREAM,
        ),
    ],
)


def _settings(train: Settings, harvest: Settings | None) -> Settings:
    """Return checked settings. Raises typer.BadParameter for those that cannot go together."""
    for field in ("sites", "output_sites"):
        train[field] = tuple(train[field] or ())
    if "architecture" in train:
        settings = architecture_settings(train["architecture"])
        if "k" in settings and "features" in train and train["k"] > train["features"]:
            raise typer.BadParameter(
                f"is more than the {train['features']} features", param_hint="--k"
            )
    if harvest is None:
        if not train["activations"]:
            raise typer.BadParameter("name a store, or --stream", param_hint="--activations")
        return train
    if train["activations"]:
        raise typer.BadParameter("takes the place of --activations", param_hint="--stream")
    # A stream writes no store: its name and project name nothing.
    site, *further = train["sites"] or (default(HarvestConfig, "site"),)
    train["stream"] = HarvestConfig(
        project="", name="stream", site=site, sites=tuple(further), **harvest
    )
    return train


def architecture_settings(name: str) -> tuple[str, ...]:
    """Return which fields an architecture heeds. Raises typer.BadParameter if there is none."""
    prepare_environment()
    from sae_desktop.dictionary.architectures import ARCHITECTURES

    if name not in ARCHITECTURES:
        there = ", ".join(sorted(ARCHITECTURES))
        raise typer.BadParameter(f"“{name}” is none of {there}", param_hint="--architecture")
    return ARCHITECTURES[name].settings


def train_config(project: Path, name: str, settings: Settings) -> TrainConfig:
    return TrainConfig(project=str(project), name=name, **settings)
