"""Commands on activation stores: list, show, verify, delete."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sae_desktop.activations.config import (
    DescribeStoreConfig,
    StoreDescription,
    VerifyResult,
    VerifyStoreConfig,
)
from sae_desktop.activations.store import ActivationStore
from sae_desktop.cli import render
from sae_desktop.cli.options import JsonOption, ProjectArgument
from sae_desktop.cli.runner import run_job_command, run_reading_command
from sae_desktop.cli.trash_commands import deleted
from sae_desktop.errors import UserError
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.language_names import language_name
from sae_desktop.project import Project
from sae_desktop.storage.faults import format_bytes

stores_app = typer.Typer(no_args_is_help=True, help="List, show, verify or delete stores.")
_NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the store.")]
_BAR = 40


@stores_app.command("list")
def list_stores(project: ProjectArgument, as_json: JsonOption = False) -> None:
    """List the stores of a project."""

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        return {"stores": [_summary(opened, name) for name in opened.stores()]}

    run_reading_command(work, _list_text, as_json=as_json)


@stores_app.command("show")
def show_store(project: ProjectArgument, name: _NameArgument, as_json: JsonOption = False) -> None:
    """Show norms, outlier dimensions, tokens and documents of a store."""
    config = DescribeStoreConfig(project=str(project), name=name)
    run_job_command(config, _store_text, as_json=as_json)


@stores_app.command("verify")
def verify_store(
    project: ProjectArgument, name: _NameArgument, as_json: JsonOption = False
) -> None:
    """Compare every committed byte of a store with its checksums; exit status 1 if any differs."""
    config = VerifyStoreConfig(project=str(project), name=name)
    run_job_command(
        config, _verified_text, as_json=as_json, failed=lambda result: bool(result.damaged)
    )


@stores_app.command("delete")
def delete_store(
    project: ProjectArgument,
    name: _NameArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Move a store to the project's trash, after saying how much space it takes."""
    run_reading_command(
        lambda: deleted(Project.open(project), "store", name, yes=yes),
        render.figures,
        as_json=as_json,
    )


def _summary(project: Project, name: str) -> dict[str, Any]:
    try:
        store = ActivationStore.open(project.store_path(name))
    except UserError as error:
        return {"name": name, "error": error.what}
    return {
        "name": name,
        "rows": store.rows,
        "rows_wanted": store.rows_wanted,
        "sites": store.info.sites,
        "widths": store.info.widths,
        "dtype": store.info.dtype,
        "model": store.info.model,
        "model_revision": store.info.model_revision,
        "model_origin": store.info.model_origin,
        "corpus": store.info.corpus,
        "bytes": store.size_bytes,
    }


def _list_text(result: dict[str, Any]) -> str:
    if not result["stores"]:
        return "No stores yet. Make one with sae-desktop harvest."
    rows = [_list_row(store) for store in result["stores"]]
    return render.table(("store", "rows", "size", "stored as", "sites"), rows, left={0, 3, 4})


def _list_row(store: dict[str, Any]) -> tuple[str, str, str, str, str]:
    if "error" in store:
        return store["name"], "–", "–", store["error"], ""
    size, sites = format_bytes(store["bytes"]), ", ".join(store["sites"])
    return store["name"], f"{store['rows']:,}", size, store["dtype"], sites


def _store_text(store: StoreDescription) -> str:
    lines = [
        f"“{store.name}”: {store.rows:,} of {store.rows_wanted:,} rows, {store.windows:,} windows "
        f"of {store.documents:,} documents, {format_bytes(store.bytes)} as {store.dtype} "
        f"in {store.segments} files",
        *(line for line in (store.model_origin, store.policy) if line),
    ]
    for site in store.sites:
        lines += [
            "",
            f"{site.site} ({site.width} wide)",
            f"  scalar {render.number(site.scalar)} (E‖x‖² = {site.mean_square:,.1f}), ‖mean‖ "
            f"{site.mean_norm:,.2f}, median norm {site.median_norm:,.2f}",
            f"  {site.massive_rows:,} rows above ten times the median norm; first tokens: "
            f"{site.massive_first_rows:,} of {site.first_rows:,}, mean norm "
            f"{render.number(site.first_norm)}",
            f"  rounding to {store.dtype} costs an FVU of {site.storage_fvu:.2g}",
        ]
        for outlier in site.outliers:
            lines.append(
                f"  dimension {outlier.dimension}: {outlier.variance_share:.1%} of the variance, "
                f"mean {outlier.mean:,.2f}"
            )
        lines += _norm_lines(site.norm_edges, site.norm_counts)
    lines += ["", f"{store.distinct_tokens:,} different tokens; the most frequent:"]
    lines.append("  " + ", ".join(f"{visible_token(t.name)} {t.rows:,}" for t in store.tokens))
    for words, shares in (("languages", store.languages), ("sources", store.sources)):
        if shares:
            told = language_name if words == "languages" else str
            named = [
                f"{told(s.name) or 'not known'} {s.rows:,} ({s.rows / max(store.rows, 1):.0%})"
                for s in shares[:12]
            ]
            lines.append(f"{words}: " + ", ".join(named))
    return "\n".join(lines)


def _norm_lines(edges: list[float], counts: list[int]) -> list[str]:
    """Return the histogram of norms as bars of text, with some bins combined."""
    step = -(-len(counts) // 12) if counts else 1
    bins = [sum(counts[i : i + step]) for i in range(0, len(counts), step)]
    most = max(bins, default=1) or 1
    return [
        f"  ‖x‖ from {edges[i * step]:>10,.2f}  {count:>10,}  {'█' * round(_BAR * count / most)}"
        for i, count in enumerate(bins)
    ]


def _verified_text(result: VerifyResult) -> str:
    what = f"“{result.name}”: {result.blocks:,} blocks, {format_bytes(result.bytes)}"
    if not result.damaged:
        return f"{what}: all intact."
    return "\n".join([f"{what}: {len(result.damaged):,} are damaged:", *result.damaged])
