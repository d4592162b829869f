"""The command that clamps concepts while pictures of something else are captioned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sae_desktop.benchmark.captions.config import (
    TOKENS,
    CaptionChangesConfig,
    CaptionChangesResult,
    ConceptFeature,
    Tokens,
)
from sae_desktop.cli.options import (
    DeviceOption,
    IndexOption,
    JsonOption,
    ProjectArgument,
    SeedOption,
)
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_job_command
from sae_desktop.described import default
from sae_desktop.errors import UserError
from sae_desktop.steering.config import Unit
from sae_desktop.words.caption_files import FORMS, save_captions
from sae_desktop.words.captions_text import CAUTION, how_text, tables_of, verdict_text
from sae_desktop.words.concept_list import parse_concepts

_NO_NAMES: list[str] = []
_NO_NUMBERS: list[float] = []
_NO_FOLDERS: list[Path] = []
_ASKED = CaptionChangesConfig


def caption_changes(
    project: ProjectArgument,
    index: IndexOption,
    pictures: Annotated[
        list[Path],
        typer.Option(
            "--pictures",
            help="Folder of emoji drawings called by their code points, such as 1f40e.png; may be "
            "repeated; default: those shipped.",
        ),
    ] = _NO_FOLDERS,
    concept: Annotated[
        list[str],
        typer.Option(
            "--concept",
            help="A concept by name; may be repeated; default: those whose features tell them "
            "best.",
        ),
    ] = _NO_NAMES,
    feature: Annotated[
        list[str],
        typer.Option(
            "--feature",
            help="A concept with a feature of your choice, such as horse=123; may be repeated.",
        ),
    ] = _NO_NAMES,
    most: Annotated[
        int, typer.Option("--most", min=1, help="How many concepts where none is named.")
    ] = default(_ASKED, "most"),
    count: Annotated[
        int,
        typer.Option("--count", min=2, help="Pictures for each concept, of the other concepts."),
    ] = default(_ASKED, "pictures"),
    prompt: Annotated[
        str, typer.Option("--prompt", help="What captions are written after; each is one line.")
    ] = default(_ASKED, "prompt"),
    asked: Annotated[
        str,
        typer.Option(
            "--asked",
            help="The prompt that asks for the concept: {word} is its word, {prompt} the prompt.",
        ),
    ] = default(_ASKED, "asked"),
    chat: Annotated[
        bool, typer.Option("--chat", help="Put prompts through the model’s chat template.")
    ] = default(_ASKED, "chat"),
    language: Annotated[
        str, typer.Option("--language", help="Language of the captions: en, de, fr, es or ru.")
    ] = default(_ASKED, "language"),
    strength: Annotated[
        list[float],
        typer.Option(
            "--strength",
            help="A strength to clamp at; may be repeated; default: 0.5, 1, 2, 4, 8.",
        ),
    ] = _NO_NUMBERS,
    unit: Annotated[
        str,
        typer.Option("--unit", help="maximum: of the feature; norm: a typical norm of the site."),
    ] = default(_ASKED, "unit"),
    where: Annotated[
        list[str],
        typer.Option(
            "--where",
            help="Tokens to clamp at: pictures, words or all; may be repeated; default: each in "
            "turn.",
        ),
    ] = _NO_NAMES,
    tokens: Annotated[
        int, typer.Option("--tokens", min=1, help="Tokens of a caption, at most.")
    ] = default(_ASKED, "tokens"),
    learn: Annotated[
        list[str],
        typer.Option(
            "--learn",
            help="A kind of instance that features are chosen on, as in concept-kinds; may be "
            "repeated; default: en, de and fr.",
        ),
    ] = _NO_NAMES,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Folder of your own concepts; default: those shipped."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", help="File for the result: .csv for every setting, .md to read."),
    ] = None,
    seed: SeedOption = default(_ASKED, "seed"),
    device: DeviceOption = default(_ASKED, "device"),
    as_json: JsonOption = False,
) -> None:
    """Clamp concepts’ features on pictures of something else, and count what captions name."""
    _check_file(save, as_json=as_json)
    config = CaptionChangesConfig(
        project=str(project),
        index=index,
        drawings=tuple(map(str, pictures)),
        pictures=count,
        concepts=tuple(concept),
        features=tuple(map(_feature, feature)),
        most=most,
        folder=str(folder) if folder else "",
        learn=tuple(learn) or default(_ASKED, "learn"),
        prompt=prompt,
        asked=asked,
        chat=chat,
        language=language,
        strengths=tuple(strength) or default(_ASKED, "strengths"),
        unit=_unit(unit),
        where=tuple(map(_where, where)) or TOKENS,
        tokens=tokens,
        seed=seed,
        device=device,
    )

    def told(result: CaptionChangesResult) -> str:
        return _text(result, save)

    run_job_command(config, told, as_json=as_json)


def _feature(text: str) -> ConceptFeature:
    try:
        (found,) = parse_concepts(text)[1]
    except (UserError, ValueError) as error:
        raise typer.BadParameter(
            f"Write “{text}” as concept=feature, such as horse=123.", param_hint="--feature"
        ) from error
    return found


def _unit(text: str) -> Unit:
    match text:
        case "maximum" | "norm":
            return text
    raise typer.BadParameter("Choose maximum or norm.", param_hint="--unit")


def _where(text: str) -> Tokens:
    match text:
        case "pictures" | "words" | "all":
            return text
    raise typer.BadParameter(f"Choose of: {', '.join(TOKENS)}.", param_hint="--where")


def _check_file(save: Path | None, *, as_json: bool) -> None:
    if save is not None and as_json:
        raise typer.BadParameter("Use either --save or --json.", param_hint="--save")
    if save is not None and save.suffix.lower() not in FORMS:
        endings = " or ".join(FORMS)
        raise typer.BadParameter(f"The file must end in {endings}.", param_hint="--save")


def _text(result: CaptionChangesResult, save: Path | None) -> str:
    lines = [verdict_text(result), ""]
    for one in tables_of(result):
        left = {place for place, head in enumerate(one.heads) if not head.number}
        heads = [head.title for head in one.heads]
        rows = [[cell.text for cell in cells] for _, cells in one.rows]
        lines += [f"{one.title}. {one.tip}", table(heads, rows, left=left), ""]
    lines += [f"{how_text(result)} {CAUTION}", *result.notes]
    if save is not None:
        save_captions(result, save)
        lines.append(f"Saved to {save}.")
    return "\n".join(lines)
