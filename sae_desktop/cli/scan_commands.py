"""Commands for scans: run, show, report, list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from sae_desktop.cli.config_options import Choice, Settings, with_options
from sae_desktop.cli.options import DeviceOption, JsonOption, ProjectArgument, SeedOption
from sae_desktop.cli.runner import run_job_command, run_reading_command
from sae_desktop.cli.scan_text import feature_text, scan_text
from sae_desktop.errors import UserError
from sae_desktop.exchange.scan_page import write_scan_page
from sae_desktop.project import Project
from sae_desktop.safety.scan.config import ScanConfig, ScanResult, SetScan
from sae_desktop.safety.scan.scan_file import Scan, read_scan
from sae_desktop.words.scan_words import correction_sentence, headline

scan_app = typer.Typer(
    no_args_is_help=True, help="Find the features that tell the texts of concept sets apart."
)
ScanArgument = Annotated[str, typer.Argument(metavar="SCAN", help="Name of the scan.")]
_FIELDS = ("pooling", "candidates", "attributed", "ordinary", "tested", "test_texts", "controls")


@scan_app.command("run")
@with_options(
    ScanConfig,
    (Choice("indexes", "--index"), Choice("sets", "--set"), *(Choice(field) for field in _FIELDS)),
)
def run_scan(
    project: ProjectArgument,
    settings: Settings,
    name: Annotated[str, typer.Option(help="Name of the scan to write.")],
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Scan dictionaries for concept sets, beside rivals on the same texts."""
    config = ScanConfig(
        project=str(project),
        name=name,
        indexes=tuple(settings.pop("indexes") or ()),
        sets=tuple(settings.pop("sets") or ()),
        seed=seed,
        device=device,
        **settings,
    )
    run_job_command(config, _result_text, as_json=as_json)


def _result_text(result: ScanResult) -> str:
    return scan_text(result.scans)


@scan_app.command("list")
def list_scans(project: ProjectArgument, as_json: JsonOption = False) -> None:
    """List the scans of a project."""

    def work() -> dict[str, Any]:
        return {"scans": Project.open(project).scans()}

    def text(result: dict[str, Any]) -> str:
        return "\n".join(result["scans"]) or "There is no scan yet."

    run_reading_command(work, text, as_json=as_json)


@scan_app.command()
def show(
    project: ProjectArgument,
    name: ScanArgument,
    set_name: Annotated[str, typer.Option("--set", help="Show the features of this set.")] = "",
    index: Annotated[str, typer.Option("--index", help="Only of this index.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Show a scan: every set with all methods, or the features of one set."""

    def work() -> dict[str, Any]:
        found = read_scan(Project.open(project), name)
        chosen = [
            one for one in found.scans
            if set_name in ("", one.set) and index in ("", one.index)
        ]  # fmt: skip
        if not chosen:
            raise UserError(
                f"The scan “{name}” has no such set and index.",
                next_step=f"It has the sets {_listed(found.info.sets)} and the indexes "
                f"{_listed(found.info.indexes)}.",
            )
        told = [msgspec.to_builtins(one) for one in chosen]
        return {"name": found.name, "info": msgspec.to_builtins(found.info), "scans": told}

    def text(result: dict[str, Any]) -> str:
        scans = msgspec.convert(result["scans"], list[SetScan])
        whole = scan_text(scans)
        features = [feature_text(one) for one in scans] if set_name else []
        return "\n\n".join([whole, *features])

    run_reading_command(work, text, as_json=as_json)


@scan_app.command()
def report(
    project: ProjectArgument,
    name: ScanArgument,
    out: Annotated[Path, typer.Argument(metavar="FILE", help="The page to write, .html.")],
    as_json: JsonOption = False,
) -> None:
    """Write a scan as one page that needs nothing else."""

    def work() -> dict[str, Any]:
        found: Scan = read_scan(Project.open(project), name)
        write_scan_page(out, found, headline(found.scans), correction_sentence(found.scans))
        return {"path": str(out), "bytes": out.stat().st_size}

    run_reading_command(work, lambda result: result["path"], as_json=as_json)


def _listed(items: Any) -> str:
    return ", ".join(item.name for item in items)
