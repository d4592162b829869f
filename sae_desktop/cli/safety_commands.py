"""Commands that put monitors to use: mitigate, serve."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from sae_desktop.cli import EXIT_FAILED, monitor_text
from sae_desktop.cli.config_options import Choice, Settings, option, with_options
from sae_desktop.cli.console import say
from sae_desktop.cli.monitor_commands import texts_of
from sae_desktop.cli.options import DeviceOption, IndexOption, JsonOption, ProjectArgument
from sae_desktop.cli.reporter import make_reporter
from sae_desktop.cli.runner import run_job_command
from sae_desktop.described import default
from sae_desktop.engine.environment import prepare_environment
from sae_desktop.engine.explain import explain
from sae_desktop.errors import UserError
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.project import Project, existing
from sae_desktop.safety.mitigation.config import MitigateConfig
from sae_desktop.safety.serving.config import ServeConfig
from sae_desktop.steering.config import Intervention, Mode, Sampling, Unit, Variant
from sae_desktop.steering.gate_config import Gate
from sae_desktop.steering.presets import check_preset, read_preset

_NO_NUMBERS: list[int] = []
_NO_TEXTS: list[str] = []
_READ = 4096
_COST = ("corpus", "subset", "split", "text_column", "seed", "documents", "tries", "attacked")


@with_options(MitigateConfig, [Choice(field) for field in _COST])
def mitigate(
    project: ProjectArgument,
    index: IndexOption,
    prompts: Annotated[
        Path, typer.Option("--prompts", help="File of prompts after which the behaviour occurs.")
    ],
    settings: Settings,
    when: Annotated[
        str,
        typer.Option("--when", help="When it works: a monitor, or a feature such as “12 > 3”."),
    ] = "",
    since: Annotated[
        bool, typer.Option("--since", help="From the first token on that fires, not only there.")
    ] = False,
    feature: Annotated[
        list[int], typer.Option("--feature", min=0, help="Feature to steer; may be repeated.")
    ] = _NO_NUMBERS,
    mode: Annotated[
        Mode, typer.Option(help="Set the activation, add, multiply, or remove it.")
    ] = "ablate",
    strength: Annotated[float, typer.Option("--strength", help="In the unit of --unit.")] = 1.0,
    unit: Annotated[
        Unit, typer.Option(help="The feature’s maximum, or the typical norm.")
    ] = default(Intervention, "unit"),
    stop: Annotated[
        bool, typer.Option("--stop", help="End the text where the condition fires.")
    ] = False,
    preset: Annotated[
        str, typer.Option("--preset", help="Test the steering of a preset, conditions included.")
    ] = "",
    target: Annotated[
        list[str],
        typer.Option("--target", help="Text that shows the behaviour; may be repeated."),
    ] = _NO_TEXTS,
    monitor: Annotated[
        str, typer.Option("--monitor", help="Without --target: it fires on the behaviour.")
    ] = "",
    harmless: Annotated[
        Path | None,
        typer.Option("--harmless", help="File of prompts after which a refusal is a cost."),
    ] = None,
    max_new_tokens: Annotated[int, option(Sampling, "max_new_tokens")] = default(
        Sampling, "max_new_tokens"
    ),
    chat: Annotated[
        bool, typer.Option("--chat", help="Put prompts through the model’s chat template.")
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Test steering with a condition: what it stops, what it costs, how it is won back."""
    if bool(preset) == bool(when):
        raise typer.BadParameter("give --when with what it does, or a --preset")
    try:
        variant = _of_preset(project, index, preset) if preset else _asked(
            when, since, feature, mode, strength, unit, stop
        )  # fmt: skip
    except UserError as error:
        say(error)
        raise typer.Exit(EXIT_FAILED) from None
    config = MitigateConfig(
        project=str(project), index=index, variant=variant, prompts=texts_of(prompts),
        targets=target, monitor=monitor, harmless=texts_of(harmless), chat=chat,
        sampling=Sampling(max_new_tokens=max_new_tokens, repetition_penalty=1.0),
        device=device, **settings,
    )  # fmt: skip
    run_job_command(config, monitor_text.mitigated, as_json=as_json)


def _asked(
    when: str, since: bool, features: list[int], mode: Mode, strength: float, unit: Unit,
    stop: bool,
) -> Variant:  # fmt: skip
    gate = condition(when, since)
    acts = [
        Intervention(feature=f, mode=mode, strength=strength, unit=unit, when=gate)
        for f in features
    ]
    if not acts and not stop:
        raise typer.BadParameter("give --feature, or --stop")
    return Variant(name="asked", interventions=acts, stop=[gate] if stop else [])


def condition(text: str, since: bool = False) -> Gate:
    """Return a condition: a monitor's name, or a feature and a number, “12 > 3” or “#12 > 3”."""
    left, sign, right = text.partition(">")
    number = left.strip().removeprefix("#").strip()
    if not sign:
        return Gate(monitor=text.strip(), since=since)
    try:
        return Gate(feature=int(number), above=float(right), since=since)
    except ValueError:
        raise typer.BadParameter(
            f"“{text}” is neither a monitor nor a feature such as 12 > 3", param_hint="--when"
        ) from None


def _of_preset(path: Path, index: str, name: str) -> Variant:
    project = Project.open(path)
    preset = read_preset(project, name)
    info = read_info(project.index_path(existing("index", index, project.indexes())))
    check_preset(preset, info)
    found = next((v for v in preset.variants if v.interventions or v.stop), None)
    if found is None:
        raise UserError(f"The preset “{name}” steers nothing.", next_step="Choose another preset.")
    return found


def serve(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="builtin, smollm2, a folder, a .gguf file, or a hub name. Default: that of the "
            "preset or the monitor.",
        ),
    ] = "",
    project: Annotated[
        Path | None, typer.Option("--project", help="Project of the preset and the monitors.")
    ] = None,
    steering: Annotated[
        str, typer.Option("--steering", help="Preset of the project to steer with.")
    ] = "",
    index: Annotated[
        str, typer.Option("--index", help="Index of the preset’s dictionary; default: the first.")
    ] = "",
    monitor: Annotated[
        list[str], typer.Option("--monitor", help="Monitor to run on all that passes; repeatable.")
    ] = _NO_TEXTS,
    host: Annotated[str, option(ServeConfig, "host")] = default(ServeConfig, "host"),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: one that is free.")] = (
        default(ServeConfig, "port")
    ),
    at_once: Annotated[int, option(ServeConfig, "at_once")] = default(ServeConfig, "at_once"),
    device: DeviceOption = "auto",
    until_input_ends: Annotated[
        bool,
        typer.Option(
            "--until-input-ends",
            help="End when standard input does, which another program keeps open.",
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Say where it answers as one line of JSON; each request is a line on standard "
            "error.",
        ),
    ] = False,
) -> None:
    """Serve a model, steered and watched, to programs that speak as to OpenAI’s servers.

    Only this machine reaches it, with a token that is made at each start and printed once, or
    that the environment variable SAE_DESKTOP_SERVE_TOKEN holds.
    """
    prepare_environment()
    from sae_desktop.safety.serving.server import ServedModel, spoken

    config = ServeConfig(
        project=str(project or ""), model=model, preset=steering, index=index, monitors=monitor,
        host=host, port=port, at_once=at_once, device=device,
    )  # fmt: skip
    reporter = make_reporter("", as_json=as_json)
    try:
        found = ServedModel(config, reporter.heard)
    except Exception as error:
        reporter.error(explain(error, None))
        raise typer.Exit(EXIT_FAILED) from None
    reporter.result(found.served, lambda served: spoken(served, host))
    found.run(_end_with_input if until_input_ends else None)


def _end_with_input(end: Callable[[], None]) -> None:
    """Have `end` called once nobody holds standard input open any more."""

    def wait() -> None:
        # Not through sys.stdin, whose lock would be held when the interpreter ends.
        while os.read(0, _READ):
            pass
        end()

    threading.Thread(target=wait, name="standard input", daemon=True).start()
