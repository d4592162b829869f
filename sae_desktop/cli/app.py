"""The commands of `sae-desktop`, put together."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from sae_desktop.cli import (
    activation_commands,
    associate_command,
    attention_commands,
    benchmark_commands,
    caches_commands,
    captions_command,
    change_commands,
    cluster_command,
    compare_command,
    comparison_commands,
    concept_set_commands,
    console_command,
    corpus_commands,
    exchange_commands,
    feature_commands,
    formats_command,
    gallery_commands,
    glossary_command,
    item_commands,
    job_commands,
    kinds_command,
    label_command,
    label_commands,
    launch_command,
    lens_commands,
    list_commands,
    manual_command,
    mcp_command,
    model_commands,
    monitor_commands,
    picture_commands,
    plugins_command,
    reading_commands,
    run_command,
    safety_commands,
    scan_commands,
    score_command,
    search_command,
    self_check_command,
    set_commands,
    settings_command,
    size_command,
    steering_commands,
    store_commands,
    sweep_commands,
    training_commands,
    trash_commands,
    watch_command,
)
from sae_desktop.cli.options import JsonOption
from sae_desktop.cli.version import print_version

app = typer.Typer(
    name="sae-desktop",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(
    invoke_without_command=True,
    epilog="Exit status: 0 done, 1 failed, 2 bad usage, 130 interrupted.",
)
def _program(
    version: Annotated[bool, typer.Option("--version", help="Version.")] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", help="With --version: libraries, system and devices too, for a report."
        ),
    ] = False,
) -> None:
    """Train, read and steer with sparse dictionaries of a language model's activations.

    Without a command, or with only a project folder, the window opens.
    """
    if verbose and not version:
        raise typer.BadParameter("only goes with --version.", param_hint="--verbose")
    if version:
        print_version(verbose=verbose)
        raise typer.Exit


@app.command()
def demo(
    headless: Annotated[
        bool,
        typer.Option(
            "--headless",
            help="Run the whole demonstration without a window; with --pictures or --smollm2: "
            "list what it holds.",
        ),
    ] = False,
    pictures: Annotated[
        bool,
        typer.Option("--pictures", help="The demonstration “Pictures and words” instead."),
    ] = False,
    smollm2: Annotated[
        bool,
        typer.Option("--smollm2", help="The demonstration of the chat model SmolLM2 instead."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the project, pictures and report.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Open a demonstration project, or run the whole path headless."""
    from sae_desktop.cli.demo import run_demo
    from sae_desktop.demonstrations import chosen_demonstration
    from sae_desktop.errors import UserError

    try:
        of = chosen_demonstration(pictures=pictures, smollm2=smollm2)
    except UserError as error:
        raise typer.BadParameter(str(error)) from None
    raise typer.Exit(run_demo(out=out, headless=headless, json=as_json, of=of))


app.add_typer(model_commands.models_app, name="models")
app.add_typer(store_commands.stores_app, name="stores")
app.add_typer(lens_commands.lens_app, name="lens")
app.add_typer(trash_commands.trash_app, name="trash")
app.add_typer(label_commands.labels_app, name="labels")
app.command()(trash_commands.delete)
app.add_typer(item_commands.dictionaries_app, name="dictionaries")
app.add_typer(item_commands.indexes_app, name="indexes")
app.add_typer(set_commands.sets_app, name="sets")
app.command()(corpus_commands.corpus)
app.command()(picture_commands.pictures)
app.command()(activation_commands.harvest)
app.command("import-activations")(activation_commands.import_activations)
app.command()(training_commands.train)
app.command()(launch_command.launch)
app.command()(training_commands.architectures)
app.command()(sweep_commands.preflight)
app.command()(size_command.size)
app.command()(sweep_commands.sweep)
app.command()(sweep_commands.scaling)
app.command()(training_commands.evaluate)
app.add_typer(benchmark_commands.benchmark_app, name="benchmark")
app.command()(feature_commands.index)
app.command()(feature_commands.finish_index)
app.command()(feature_commands.merge_indexes)
app.command()(reading_commands.features)
app.command()(reading_commands.show)
app.command()(search_command.embed)
app.command()(search_command.search)
app.command()(cluster_command.clusters)
app.command()(compare_command.compare)
app.command()(list_commands.lists)
app.command()(job_commands.jobs)
app.command()(run_command.run)
app.command()(console_command.console)
app.command()(feature_commands.probe)
app.command()(feature_commands.find_features)
app.command()(comparison_commands.match)
app.command()(comparison_commands.splitting)
app.command()(comparison_commands.concepts)
app.add_typer(concept_set_commands.concept_sets_app, name="concept-sets")
app.add_typer(scan_commands.scan_app, name="scan")
app.command()(comparison_commands.completeness)
app.command("concept-kinds")(kinds_command.concept_kinds)
app.command("caption-changes")(captions_command.caption_changes)
app.command()(steering_commands.steer)
app.command()(steering_commands.output_effect)
app.add_typer(attention_commands.trace_app, name="trace")
app.add_typer(monitor_commands.monitor_app, name="monitor")
app.command()(safety_commands.mitigate)
app.command()(safety_commands.serve)
app.command()(mcp_command.mcp)
app.command()(label_command.label)
app.command()(score_command.score)
app.command("import")(exchange_commands.import_)
app.command()(exchange_commands.export)
app.command()(gallery_commands.gallery)
app.command()(formats_command.formats)
app.command()(plugins_command.plugins)
app.command()(settings_command.settings)
app.add_typer(caches_commands.caches_app, name="caches")
app.command()(glossary_command.glossary)
app.command()(manual_command.manual_of(app))
app.command()(associate_command.associate)
app.command()(self_check_command.self_check)
app.add_typer(change_commands.change_app, name="change")
app.command(epilog=watch_command.STATUS)(watch_command.watch)


@cache
def command(name: str | None = None) -> Any:
    """Return the commands, or the one of a name alone, with their help shown exactly as written.

    Typer takes “[/folder]” for the end of a style.
    """
    whole = typer.main.get_command(app if name is None else _alone(name))
    _show_as_written(whole)
    return whole


def _alone(name: str) -> typer.Typer:
    """Return the program with one of its commands: making all of them takes a third of a second.

    It has all of them where there is none of that name.
    """
    one = copy(app)
    one.registered_commands = [info for info in app.registered_commands if _name(info) == name]
    one.registered_groups = [info for info in app.registered_groups if info.name == name]
    return one if one.registered_commands or one.registered_groups else app


def _name(info: Any) -> str:
    return str(info.name or typer.main.get_command_name(info.callback.__name__))


def _show_as_written(one: Any) -> None:
    for told in (one, *one.params):
        if getattr(told, "help", None):
            told.help = escape(told.help)
    for inside in getattr(one, "commands", {}).values():
        _show_as_written(inside)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit status."""
    named = arguments[0] if arguments and not arguments[0].startswith("-") else None
    try:
        command(named)(list(arguments), prog_name="sae-desktop")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
