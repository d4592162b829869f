"""Sweeps and scaling laws as text for a person at a terminal."""

from __future__ import annotations

from sae_desktop.cli.render import number, table
from sae_desktop.training.sweeps.pareto import front_of
from sae_desktop.training.sweeps.scaling_report import ScalingReport, SeriesReport
from sae_desktop.training.sweeps.sweep_config import SweepResult
from sae_desktop.words.scaling_text import best_text, law_text, series_name

_FIGURES = {
    "L0": "l0",
    "FVU": "fvu",
    "dead": "dead_fraction",
    "loss": "loss",
    "recovered": "loss_recovered",
    "rows/s": "rows_per_second",
    "time": "seconds",
    "compute": "compute",
}


def sweep_text(result: SweepResult) -> str:
    """Return the table of a sweep, with runs on the Pareto front marked."""
    front = {row.dictionary for row in front_of(result.rows)}
    rows = [
        (
            ("* " if row.dictionary in front else "  ") + row.dictionary,
            row.state,
            *(number(getattr(row, field), field) for field in _FIGURES.values()),
        )
        for row in result.rows
    ]
    lines = [table(("  run", "state", *_FIGURES), rows, left={0, 1}), ""]
    lines += [f"“{row.dictionary}” failed: {row.error}" for row in result.rows if row.error]
    lines.append(
        f"{result.done} done, {result.failed} failed, {result.waiting} not started. "
        "* no other run has both a lower L0 and a lower FVU."
    )
    return "\n".join(lines)


def scaling_text(report: ScalingReport) -> str:
    """Return the laws of every series, and the runs on the Pareto front."""
    blocks = [_series_text(series) for series in report.series]
    blocks.append(f"Pareto front of FVU against L0: {', '.join(report.pareto_front)}")
    return "\n\n".join(blocks)


def _series_text(report: SeriesReport) -> str:
    lines = [f"{series_name(report.series)}, {len(report.series.points)} runs"]
    laws = report.laws
    if laws is None:
        return "\n".join([*lines, f"  {report.refusal}"])
    lines.append(f"  {law_text(laws.loss, 'loss')}; runs are {laws.loss.spread:.2%} off it")
    for name, law in (
        ("best features", laws.features),
        ("best steps", laws.steps),
        ("best learning rate", laws.lr),
    ):
        if law is not None:
            lines.append(f"  {law_text(law, name)}")
    frontier = ", ".join(f"{p.features:,} × {p.steps:,}" for p in laws.frontier)
    lines.append(f"  frontier (features × steps): {frontier}")
    lines += [f"  {why}" for why in laws.missing]
    if report.optimum is not None:
        lines.append(f"  at {report.optimum.compute:.3g}: {best_text(report.optimum)}")
    return "\n".join(lines)
