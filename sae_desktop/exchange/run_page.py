"""A training run as a page: settings, figures, curves. Free of torch."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sae_desktop.exchange.pages import Curve, curve, number, write_page
from sae_desktop.exchange.places import without_places
from sae_desktop.language_model.names import public_name
from sae_desktop.training.origin_text import origin_text, parent_text
from sae_desktop.training.run_folder import RUN_LOG, read_summary
from sae_desktop.training.run_log import read_run

_CURVES = (
    ("loss", "Loss"), ("fvu", "Fraction of variance unexplained"), ("l0", "L0, features per row"),
    ("dead_fraction", "Dead features"), ("loss_recovered", "Loss recovered"),
    ("learning_rate", "Learning rate"),
)  # fmt: skip


def write_run_page(path: Path, folder: Path) -> None:
    """Write a page of a dictionary's run. Raises UserError when it cannot be read or written."""
    summary = read_summary(folder)
    model = public_name(summary.model)
    about_it = [
        ("Architecture", summary.architecture), ("Features", f"{summary.features:,}"),
        ("Width", f"{summary.width:,}"), ("Model", model),
        ("Weights", summary.model_origin or "not known"), ("Site", summary.site),
        ("Origin", origin_text(summary) or "not known"),
    ]  # fmt: skip
    if summary.started_from is not None:
        about_it.append(("Started from", parent_text(summary.started_from)))
    measured = summary.evaluation or summary.result
    figures = [
        (_words(name), number(value))
        for name, value in msgspec.to_builtins(measured or {}).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    settings = without_places(msgspec.to_builtins(summary.train or {}))
    write_page(
        path,
        "run.html",
        title=f"Dictionary {summary.name}",
        about=f"{summary.features:,} features of {model or 'a model'}, {summary.site}",
        about_it=about_it,
        evaluated=summary.evaluation is not None,
        figures=figures,
        curves=_curves(folder / RUN_LOG) if (folder / RUN_LOG).is_file() else [],
        settings=[
            (_words(name), str(value))
            for name, value in settings.items()
            if name not in ("project", "type") and value not in ("", [], None)
        ],
    )


def _words(field: str) -> str:
    return field.replace("_", " ")


def _curves(path: Path) -> list[tuple[str, Curve | None]]:
    """Return (heading, curve) of what was measured while the run went on."""
    run = read_run(path)
    measured = [(title, *run.measured(name)) for name, title in _CURVES]
    return [
        (title, curve(rows.astype(float), values.astype(float), "rows"))
        for title, rows, values in measured
        if len(values)
    ]
