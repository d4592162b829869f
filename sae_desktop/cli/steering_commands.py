"""The command that steers: several features, modes, positions, strengths, controls."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer

from sae_desktop.cli import EXIT_FAILED, steering_text
from sae_desktop.cli.config_options import option
from sae_desktop.cli.console import say
from sae_desktop.cli.options import (
    DeviceOption,
    IndexOption,
    JsonOption,
    PictureOption,
    ProjectArgument,
    finite,
)
from sae_desktop.cli.runner import run_job_command, told
from sae_desktop.described import default
from sae_desktop.errors import UserError
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.features.reading.known_strength import KnownStrength
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.text_lists import read_texts
from sae_desktop.project import Project, existing
from sae_desktop.steering.config import (
    PLAIN,
    Intervention,
    Mode,
    Sampling,
    SteerConfig,
    SweepStrengthsConfig,
    Unit,
    Variant,
    Where,
)
from sae_desktop.steering.controls import random_control
from sae_desktop.steering.effect_config import OutputEffectConfig
from sae_desktop.steering.export_config import ExportSteeringConfig
from sae_desktop.steering.kept_pictures import KeptPicture, fate, keep, restored
from sae_desktop.steering.presets import check_preset, preset_of, read_preset, save_preset
from sae_desktop.storage.scratch import ScratchFolder
from sae_desktop.upkeep import writing
from sae_desktop.words.kept_picture_words import fates_text

T = TypeVar("T")

_NO_NUMBERS: list[float] = []
_NO_PLACES: list[int] = []
_NO_TEXTS: list[str] = []
_NO_FILES: list[Path] = []
_RESTORED = ScratchFolder()
"""Pictures of presets, as long as the command runs."""


def steer(
    project: ProjectArgument,
    index: IndexOption,
    prompt: Annotated[str, typer.Option("--prompt", help="Text to continue.")] = "",
    picture: PictureOption = _NO_FILES,
    feature: Annotated[
        list[str],
        typer.Option(
            "--feature",
            help="Feature to steer, by number, or INDEX:NUMBER for another index; may be repeated.",
        ),
    ] = _NO_TEXTS,
    strength: Annotated[
        list[float],
        typer.Option(
            "--strength",
            "--clamp",
            callback=lambda values: [finite(v) for v in values],
            help="Strength, one for each feature; default: 1.",
        ),
    ] = _NO_NUMBERS,
    mode: Annotated[
        Mode,
        typer.Option(
            help="Set the activation, add the direction, multiply the activation, or remove it."
        ),
    ] = default(Intervention, "mode"),
    unit: Annotated[
        Unit,
        typer.Option(help="Unit of the strengths: the feature's maximum, or the typical norm."),
    ] = default(Intervention, "unit"),
    where: Annotated[Where, typer.Option(help="Which tokens the feature affects.")] = default(
        Intervention, "where"
    ),
    start: Annotated[
        int, typer.Option(min=0, help="First token of the prompt to affect, counting from 0.")
    ] = default(Intervention, "start"),
    token: Annotated[
        list[int],
        typer.Option(
            min=0, help="Token of the prompt to affect, counting from 0; may be repeated."
        ),
    ] = _NO_PLACES,
    control: Annotated[
        bool,
        typer.Option(
            "--control", help="Compare with an equally large change in a random direction."
        ),
    ] = False,
    sweep: Annotated[
        str,
        typer.Option(help="Factors of the strengths to try, such as -10,-5,0,5,10."),
    ] = "",
    watch: Annotated[
        list[str], typer.Option(help="With --sweep: follow this token's probability.")
    ] = _NO_TEXTS,
    monitor: Annotated[
        list[str],
        typer.Option("--monitor", help="Monitor of the project that reads along; may be repeated."),
    ] = _NO_TEXTS,
    preset: Annotated[
        str, typer.Option(help="Steer with a preset of the project, all its settings included.")
    ] = "",
    save_preset_as: Annotated[
        str, typer.Option("--save-preset", help="Save the steering as a preset of this name.")
    ] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Let --save-preset replace a preset of the same name.")
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            help="Export the steering as a .safetensors vector, a .json vector for Neuronpedia, "
            "or a standalone .py script."
        ),
    ] = None,
    keep_pictures: Annotated[
        bool,
        typer.Option("--keep-pictures", help="Let --save-preset keep the files of pictures, too."),
    ] = False,
    max_new_tokens: Annotated[int, option(Sampling, "max_new_tokens")] = default(
        Sampling, "max_new_tokens"
    ),
    temperature: Annotated[float, option(Sampling, "temperature")] = default(
        Sampling, "temperature"
    ),
    top_k: Annotated[int, option(Sampling, "top_k")] = default(Sampling, "top_k"),
    top_p: Annotated[float, option(Sampling, "top_p")] = default(Sampling, "top_p"),
    repetition_penalty: Annotated[float, option(Sampling, "repetition_penalty")] = default(
        Sampling, "repetition_penalty"
    ),
    chat: Annotated[bool, option(SteerConfig, "chat", "--chat")] = default(SteerConfig, "chat"),
    seed: Annotated[int, option(Sampling, "seed")] = default(Sampling, "seed"),
    device: DeviceOption = default(SteerConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Continue a prompt with and without features turned up or down, side by side."""
    if strength and len(strength) != len(feature):
        raise typer.BadParameter("give one for each --feature", param_hint="--strength")
    if keep_pictures and not save_preset_as:
        raise typer.BadParameter("needs --save-preset", param_hint="--keep-pictures")
    if preset and (feature or prompt or picture):
        raise typer.BadParameter("has its own features and prompt", param_hint="--preset")
    if not preset and not (feature and (prompt or picture)):
        raise typer.BadParameter("give --feature with --prompt or --picture, or a --preset")
    if watch and not sweep:
        raise typer.BadParameter(
            "needs a --sweep to follow the probability over", param_hint="--watch"
        )
    places = [_place(text) for text in feature]
    interventions = [
        Intervention(
            feature=f, index=of, index_hash=_or_exit(partial(_hash, project, of)), mode=mode,
            strength=s, unit=unit, where=where, start=start, tokens=token,
        )
        for (of, f), s in zip(places, strength or [1.0] * len(feature), strict=True)
    ]  # fmt: skip
    variants = [PLAIN, Variant(name="steered", interventions=interventions)]
    if control:
        variants.append(random_control(interventions))
    sampling = Sampling(
        max_new_tokens=max_new_tokens, temperature=temperature, top_k=top_k, top_p=top_p,
        repetition_penalty=repetition_penalty, seed=seed,
    )  # fmt: skip
    asked = SteerConfig(
        project=str(project), index=index, prompt=prompt, variants=variants, sampling=sampling,
        chat=chat, monitors=monitor, pictures=[str(path) for path in picture], device=device,
    )  # fmt: skip
    if preset:
        asked = _of_preset(asked, preset)
    if save_preset_as:
        _save(asked, save_preset_as, replace=replace, whole=keep_pictures)
    if export is not None:
        run_job_command(_exported(asked, export), steering_text.exported, as_json=as_json)
    if sweep:
        run_job_command(_swept(asked, sweep, watch), steering_text.sweep, as_json=as_json)
    told_of = partial(steering_text.steer, asked=asked, strength=_known(asked))
    run_job_command(asked, told_of, as_json=as_json)


def _place(text: str) -> tuple[str, int]:
    """Return the index, "" for the one steered with, and the number of a feature."""
    index, _, number = text.rpartition(":")
    if not (number.isascii() and number.isdecimal()):
        raise typer.BadParameter(
            f"“{text}” is neither a number nor INDEX:NUMBER", param_hint="--feature"
        )
    return index, int(number)


def _known(config: SteerConfig) -> Callable[[int], KnownStrength | None]:
    """Return what tells at which strengths a feature works, where that was measured."""

    def strength(feature: int) -> KnownStrength | None:
        project = Project.open(config.project)
        return FeatureIndex(project.index_path(config.index)).strength(feature)

    return strength


def _hash(project: Path, index: str) -> str:
    return _info(Project.open(project), index).dictionary_hash if index else ""


def _steered(config: SteerConfig) -> Variant:
    """Return the first variant that changes the model. Raises BadParameter if none does."""
    found = next((v for v in config.variants if v.interventions), None)
    if found is None:
        raise typer.BadParameter("steers nothing", param_hint="--preset")
    return found


def _swept(config: SteerConfig, strengths: str, watched: list[str]) -> SweepStrengthsConfig:
    return SweepStrengthsConfig(
        project=config.project, index=config.index, prompt=config.prompt,
        variant=_steered(config), strengths=_strengths(strengths), watched=watched,
        sampling=config.sampling, chat=config.chat, pictures=config.pictures,
        device=config.device,
    )  # fmt: skip


def _exported(config: SteerConfig, path: Path) -> ExportSteeringConfig:
    return ExportSteeringConfig(
        project=config.project, index=config.index, path=str(path.absolute()),
        variant=_steered(config), prompt=config.prompt, sampling=config.sampling,
        chat=config.chat, pictures=config.pictures, device=config.device,
    )  # fmt: skip


def _of_preset(config: SteerConfig, name: str) -> SteerConfig:
    def read() -> SteerConfig:
        project = Project.open(config.project)
        preset = read_preset(project, name)
        check_preset(preset, _info(project, config.index))
        files = _files(preset.pictures)
        return msgspec.structs.replace(
            config, prompt=preset.prompt, variants=preset.variants, sampling=preset.sampling,
            chat=preset.chat, pictures=files,
        )  # fmt: skip

    return _or_exit(read)


def _files(pictures: Sequence[KeptPicture]) -> list[str]:
    """Return files of a preset's pictures, and tell what became of them."""
    if not pictures:
        return []
    files = [restored(one, _RESTORED.path()) for one in pictures]
    fates = [(one, fate(msgspec.structs.replace(one, place=file)))
             for one, file in zip(pictures, files, strict=True)]  # fmt: skip
    if became := fates_text(fates):
        told(became)
    return files


def _save(config: SteerConfig, name: str, *, replace: bool, whole: bool) -> None:
    def write() -> None:
        project = Project.open(config.project)
        with writing(project):
            info = _info(project, config.index)
            save_preset(
                project,
                preset_of(name, info, config.prompt, config.variants, config.sampling,
                          chat=config.chat,
                          pictures=keep(config.pictures, [], config.pictures if whole else [])),
                replace=replace,
            )  # fmt: skip

    _or_exit(write)


def _info(project: Project, index: str) -> IndexInfo:
    return read_info(project.index_path(existing("index", index, project.indexes())))


def _or_exit(work: Callable[[], T]) -> T:
    try:
        return work()
    except UserError as error:
        say(error)
        raise typer.Exit(EXIT_FAILED) from None


def _strengths(text: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",") if part.strip()]
        if not all(map(math.isfinite, found)):
            raise ValueError
    except ValueError:
        raise typer.BadParameter(
            f"“{text}” is not a list of numbers such as -10,0,10", param_hint="--sweep"
        ) from None
    return found


def output_effect(
    project: ProjectArgument,
    index: IndexOption,
    prompts: Annotated[
        Path | None,
        typer.Option(
            help="A file of prompts, one per line; default: prompts from the indexed text."
        ),
    ] = None,
    count: Annotated[int, option(OutputEffectConfig, "count")] = default(
        OutputEffectConfig, "count"
    ),
    strength: Annotated[float, option(OutputEffectConfig, "strength")] = default(
        OutputEffectConfig, "strength"
    ),
    strengths: Annotated[
        bool, option(OutputEffectConfig, "strengths", "--strengths/--no-strengths")
    ] = default(OutputEffectConfig, "strengths"),
    feature: Annotated[
        list[int],
        typer.Option(
            help="Measure only this feature, beside those measured before; may be repeated."
        ),
    ] = _NO_PLACES,
    device: DeviceOption = default(OutputEffectConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Measure what each feature does to the next token, and the strength that turns a text.

    Both become columns to sort the features by; steering begins at the strength found here.
    """
    texts = [] if prompts is None else _or_exit(lambda: read_texts(prompts, told))
    config = OutputEffectConfig(
        project=str(project), index=index, prompts=texts, count=count, strength=strength,
        strengths=strengths, features=feature, device=device,
    )  # fmt: skip
    run_job_command(config, steering_text.effects, as_json=as_json)
