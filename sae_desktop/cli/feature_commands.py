"""Commands that read a dictionary's features and steer with them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sae_desktop.cli import render
from sae_desktop.cli.config_options import (
    Choice,
    Settings,
    with_options,
)
from sae_desktop.cli.options import (
    DeviceOption,
    DictionaryOption,
    IndexOption,
    JsonOption,
    PictureOption,
    ProjectArgument,
    SeedOption,
    StoreOption,
    bounds,
)
from sae_desktop.cli.runner import run_job_command, told
from sae_desktop.described import default
from sae_desktop.described import settings as settings_of
from sae_desktop.errors import UserError
from sae_desktop.exchange.recognise import require_kind
from sae_desktop.features.asking.text_set_config import FindFeaturesConfig
from sae_desktop.features.config import (
    Against,
    IndexConfig,
    MergeIndexesConfig,
    ProbeConfig,
    Ranking,
)
from sae_desktop.features.reading.chat_text import parse_chat
from sae_desktop.features.reading.text_lists import read_texts
from sae_desktop.features.reading.unfinished import finishing
from sae_desktop.project import Project, existing

_NO_FILES: list[Path] = []
_INDEX_CHOICES = tuple(Choice(field) for field in settings_of(IndexConfig))


@with_options(IndexConfig, _INDEX_CHOICES)
def index(
    project: ProjectArgument,
    dictionary: DictionaryOption,
    name: Annotated[str, typer.Option("--name", help="Name of the index to write.")],
    settings: Settings,
    activations: StoreOption = default(IndexConfig, "activations"),
    seed: SeedOption = default(IndexConfig, "seed"),
    device: DeviceOption = default(IndexConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Find out when each feature of a dictionary fires and what it does."""
    settings["other_activations"] = tuple(settings["other_activations"] or ())
    config = IndexConfig(
        project=str(project),
        dictionary=dictionary,
        name=name,
        activations=activations,
        seed=seed,
        device=device,
        **settings,
    )
    run_job_command(config, render.index, as_json=as_json)


def finish_index(project: ProjectArgument, index: IndexOption, as_json: JsonOption = False) -> None:
    """Make the rest of an index whose making ended after its first features."""
    try:
        opened = Project.open(project)
        config = finishing(
            opened.path, opened.index_path(existing("index", index, opened.indexes()))
        )
    except UserError as error:
        raise typer.BadParameter(f"{error.what} {error.next_step}") from None
    run_job_command(config, render.index, as_json=as_json)


def merge_indexes(
    project: ProjectArgument,
    name: Annotated[str, typer.Option("--name", help="Name of the index to write.")],
    index: Annotated[
        list[str], typer.Option("--index", help="An index to merge; name at least two.")
    ],
    keep_firings: Annotated[
        bool, typer.Option("--keep-firings/--no-keep-firings", help="Keep all activations.")
    ] = default(MergeIndexesConfig, "keep_firings"),
    device: DeviceOption = default(MergeIndexesConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Merge indexes of several texts into one, as if all had been read at once."""
    config = MergeIndexesConfig(
        project=str(project), name=name, indexes=index, keep_firings=keep_firings, device=device
    )
    run_job_command(config, render.index, as_json=as_json)


def probe(
    project: ProjectArgument,
    index: IndexOption,
    text: Annotated[str, typer.Option("--text", help="Text to read.")] = "",
    text_file: Annotated[
        Path | None, typer.Option("--text-file", help="File with the text to read.")
    ] = None,
    picture: PictureOption = _NO_FILES,
    chat: Annotated[
        bool,
        typer.Option(
            "--chat", help="The text is a chat: turns begin with user:, assistant: or system:."
        ),
    ] = False,
    per_token: Annotated[
        int,
        typer.Option(
            "--per-token",
            **bounds(ProbeConfig, "per_token"),
            help="Features kept per token; 0: all active ones.",
        ),
    ] = default(ProbeConfig, "per_token"),
    rank: Annotated[
        Ranking, typer.Option("--rank", help="What the features of a token are ranked by.")
    ] = default(ProbeConfig, "rank"),
    most_density: Annotated[
        float,
        typer.Option(
            "--most-density",
            **bounds(ProbeConfig, "most_density"),
            help="Leave out features denser than this.",
        ),
    ] = default(ProbeConfig, "most_density"),
    attribute_at: Annotated[
        int | None,
        typer.Option(
            "--attribute-at",
            min=-1,
            help="Token after which the prediction is explained; -1: the last.",
        ),
    ] = default(ProbeConfig, "attribute_at"),
    against: Annotated[
        Against, typer.Option("--against", help="What its logit is compared with.")
    ] = default(ProbeConfig, "against"),
    device: DeviceOption = default(ProbeConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Show which features fire on a text, or on pictures and the text after them."""
    text = text if text_file is None else _file_text(text_file)
    config = ProbeConfig(
        project=str(project),
        index=index,
        text="" if chat else text,
        pictures=[str(path) for path in picture],
        chat=parse_chat(text) if chat else [],
        per_token=per_token,
        rank=rank,
        most_density=most_density,
        attribute_at=attribute_at,
        against=against,
        device=device,
    )
    run_job_command(config, render.probe, as_json=as_json)


def find_features(
    project: ProjectArgument,
    index: IndexOption,
    on: Annotated[
        Path | None,
        typer.Option("--on", help="Texts A: one per line or paragraph, or a .jsonl file."),
    ] = None,
    off: Annotated[Path | None, typer.Option("--off", help="Texts B, in the same form.")] = None,
    on_picture: Annotated[
        list[Path],
        typer.Option("--on-picture", help="A picture that is of A, too; may be repeated."),
    ] = _NO_FILES,
    off_picture: Annotated[
        list[Path],
        typer.Option("--off-picture", help="A picture that is of B, too; may be repeated."),
    ] = _NO_FILES,
    threshold: Annotated[
        float,
        typer.Option(
            **bounds(FindFeaturesConfig, "threshold"),
            help="A feature counts as active above this share of its maximum.",
        ),
    ] = default(FindFeaturesConfig, "threshold"),
    missed: Annotated[
        int,
        typer.Option(
            **bounds(FindFeaturesConfig, "missed"),
            help="How many of the A texts may lack the feature.",
        ),
    ] = default(FindFeaturesConfig, "missed"),
    classify: Annotated[
        bool,
        typer.Option("--classify", help="Also train classifiers and score them on held-out texts."),
    ] = False,
    seed: SeedOption = default(FindFeaturesConfig, "seed"),
    device: DeviceOption = default(FindFeaturesConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Find the features active on all texts and pictures of A and on none of B."""
    config = FindFeaturesConfig(
        project=str(project),
        index=index,
        on=_texts(on),
        off=_texts(off),
        on_pictures=[str(path) for path in on_picture],
        off_pictures=[str(path) for path in off_picture],
        threshold=threshold,
        missed=missed,
        classify=classify,
        seed=seed,
        device=device,
    )
    run_job_command(config, render.found_features, as_json=as_json)


def _texts(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        require_kind(path, "corpus")
        return read_texts(path, told)
    except UserError as error:
        raise typer.BadParameter(f"{error.what} {error.next_step}") from None


def _file_text(path: Path) -> str:
    try:
        require_kind(path, "corpus")
        return path.read_text(encoding="utf-8")
    except UserError as error:
        raise typer.BadParameter(f"{error.what} {error.next_step}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"“{path}” cannot be read: {error}") from None
