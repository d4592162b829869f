"""Commands for benchmarks: run, show, list, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from sae_desktop.benchmark.benchmark_file import read_benchmark
from sae_desktop.benchmark.config import BenchmarkConfig, BenchmarkResult, SyntheticConfig
from sae_desktop.cli.config_options import Choice, Settings, with_options
from sae_desktop.cli.options import DeviceOption, JsonOption, ProjectArgument, SeedOption
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_job_command, run_reading_command
from sae_desktop.described import default
from sae_desktop.exchange.benchmark_export import export_benchmark
from sae_desktop.project import Project
from sae_desktop.words.benchmark_words import (
    benchmark_rows,
    cell_text,
    headline,
    notes,
    published_table,
    shown_columns,
    task_table,
)

benchmark_app = typer.Typer(
    no_args_is_help=True,
    help="Measure dictionaries alike, beside random directions and principal components.",
)
BenchmarkArgument = Annotated[
    str, typer.Argument(metavar="BENCHMARK", help="Name of the benchmark.")
]
_FIELDS = (
    "activations", "rows", "loss_windows", "control_seeds", "texts", "text_tokens",
    "builtin_tasks", "label_column", "words", "returns_at",
)  # fmt: skip
_OF_SYNTHETIC = (
    "world", "samples", "seeds", "features", "k", "k_start", "lista_step", "leave_one_out", "lr",
    "batch", "init", "measured",
)  # fmt: skip
_SHOWN_K = "5"


@benchmark_app.command("run")
@with_options(
    BenchmarkConfig,
    (
        Choice("siblings", "--seeds"),
        *(Choice(field) for field in _FIELDS),
        Choice("labelled", "--labelled"),
    ),
)
def run_benchmark(
    project: ProjectArgument,
    dictionaries: Annotated[
        list[str], typer.Argument(metavar="DICTIONARY…", help="Names of the dictionaries.")
    ],
    settings: Settings,
    name: Annotated[
        str, typer.Option(help="Name of the benchmark; default: the first dictionary’s.")
    ] = "",
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure dictionaries on the same rows and texts, with controls beside them."""
    config = BenchmarkConfig(
        project=str(project),
        name=name or dictionaries[0],
        dictionaries=tuple(dictionaries),
        labelled=tuple(settings.pop("labelled") or ()),
        seed=seed,
        device=device,
        **settings,
    )
    run_job_command(config, benchmark_text, as_json=as_json)


@benchmark_app.command("synthetic")
@with_options(
    SyntheticConfig,
    (Choice("architectures", "--architecture"), *(Choice(field) for field in _OF_SYNTHETIC)),
)
def run_synthetic(
    project: ProjectArgument,
    settings: Settings,
    name: Annotated[str, typer.Option(help="Name of the benchmark.")],
    seed: SeedOption = 0,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Train on activations made from known features (SynthSAEBench), and see which are found."""
    usual = default(SyntheticConfig, "architectures")
    config = SyntheticConfig(
        project=str(project),
        name=name,
        architectures=tuple(settings.pop("architectures") or usual),
        seed=seed,
        device=device,
        **settings,
    )
    run_job_command(config, benchmark_text, as_json=as_json)


def benchmark_text(result: BenchmarkResult) -> str:
    """Return a benchmark for a person at a terminal."""
    rows = benchmark_rows(result)
    columns = shown_columns(rows)
    listed = table(
        ["dictionary", *(column.title for column in columns)],
        [
            [f"{'  ' * (row.kind != 'recipe')}{row.title}", *(cell_text(c, row) for c in columns)]
            for row in rows
        ],
        left={0},
    )
    parts = [headline(result), listed]
    if result.tasks:
        heads, cells = task_table(result, _SHOWN_K)
        parts.append(
            f"Accuracy on held-out texts, of probes on {_SHOWN_K} features\n"
            + table(heads, cells, left={0})
        )
    if result.synthetic is not None:
        parts.append(
            "Published by others, under other conditions: 200 million samples, 4,096 features, "
            "L0 25\n" + table(*published_table(), left={0, 2})
        )
    return "\n\n".join([*parts, "\n".join(notes(result))])


@benchmark_app.command("list")
def list_benchmarks(project: ProjectArgument, as_json: JsonOption = False) -> None:
    """List the benchmarks of a project."""

    def work() -> dict[str, Any]:
        return {"benchmarks": Project.open(project).benchmarks()}

    def text(result: dict[str, Any]) -> str:
        return "\n".join(result["benchmarks"]) or "There is no benchmark yet."

    run_reading_command(work, text, as_json=as_json)


@benchmark_app.command()
def show(project: ProjectArgument, name: BenchmarkArgument, as_json: JsonOption = False) -> None:
    """Show a benchmark: every dictionary, its controls, and each dataset."""

    def work() -> dict[str, Any]:
        return dict(msgspec.to_builtins(read_benchmark(Project.open(project), name).result))

    def text(result: dict[str, Any]) -> str:
        return benchmark_text(msgspec.convert(result, BenchmarkResult))

    run_reading_command(work, text, as_json=as_json)


@benchmark_app.command()
def export(
    project: ProjectArgument,
    name: BenchmarkArgument,
    out: Annotated[
        Path, typer.Argument(metavar="FILE", help="The table to write, .csv, or all of it, .json.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Write a benchmark as a table or as JSON."""

    def work() -> dict[str, Any]:
        export_benchmark(read_benchmark(Project.open(project), name).result, out)
        return {"path": str(out), "bytes": out.stat().st_size}

    run_reading_command(work, lambda result: result["path"], as_json=as_json)
