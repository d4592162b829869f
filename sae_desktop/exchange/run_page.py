"""A training run as a page: settings, figures, curves. Free of torch."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sae_desktop.exchange.pages import card, curve, number, table, write_page
from sae_desktop.exchange.places import without_places
from sae_desktop.language_model.names import public_name
from sae_desktop.training.origin import origin_text
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
    parts = [card("Dictionary", table([
        ("Architecture", summary.architecture), ("Features", f"{summary.features:,}"),
        ("Width", f"{summary.width:,}"), ("Model", model),
        ("Weights", summary.model_origin or "not known"), ("Site", summary.site),
        ("Origin", origin_text(summary) or "not known"),
    ]))]  # fmt: skip
    measured = summary.evaluation or summary.result
    if measured is not None:
        figures = msgspec.to_builtins(measured)
        rows = [
            (name.replace("_", " "), number(value))
            for name, value in figures.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        parts.append(card("Evaluated" if summary.evaluation else "At the end", table(rows)))
    if (folder / RUN_LOG).is_file():
        parts.append(f'<div class="grid">{"".join(_curves(folder / RUN_LOG))}</div>')
    if summary.train is not None:
        settings = without_places(msgspec.to_builtins(summary.train))
        rows = [
            (name.replace("_", " "), str(value))
            for name, value in settings.items()
            if name not in ("project", "type") and value not in ("", [], None)
        ]
        parts.append(card("Settings", table(rows)))
    about = f"{summary.features:,} features of {model or 'a model'}, {summary.site}"
    write_page(path, f"Dictionary {summary.name}", about, "\n".join(parts))


def _curves(path: Path) -> list[str]:
    run = read_run(path)
    drawn = []
    for name, title in _CURVES:
        rows, values = run.measured(name)
        if len(values):
            plot = curve(rows.astype(float), values.astype(float), "rows")
            drawn.append(card(title, f'<div class="plot">{plot}</div>'))
    return drawn
