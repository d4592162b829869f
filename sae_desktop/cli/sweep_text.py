"""Sweeps and scaling laws as text for a person at a terminal."""

from __future__ import annotations

from sae_desktop.cli.render import number, table
from sae_desktop.training.sweeps.pareto import front_of
from sae_desktop.training.sweeps.power_law import PowerLaw
from sae_desktop.training.sweeps.region import Interval
from sae_desktop.training.sweeps.scaling import Optimum
from sae_desktop.training.sweeps.scaling_report import ScalingReport, SeriesReport
from sae_desktop.training.sweeps.sweep_config import SweepResult

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
    series = report.series
    settings = [f"k {series.k}"] if series.k is not None else []
    settings += [f"λ {series.sparsity:g}"] if series.sparsity is not None else []
    lines = [", ".join([series.architecture, *settings, f"{len(series.points)} runs"])]
    laws = report.laws
    if laws is None:
        return "\n".join([*lines, f"  {report.refusal}"])
    lines.append(f"  loss      {_law_text(laws.loss)}; runs are {laws.loss.spread:.2%} off it")
    for name, law in (("features", laws.features), ("steps", laws.steps), ("lr", laws.lr)):
        if law is not None:
            lines.append(f"  best {name:<8} {_law_text(law)}")
    frontier = ", ".join(f"{p.features:,} × {p.steps:,}" for p in laws.frontier)
    lines.append(f"  frontier (features × steps): {frontier}")
    lines += [f"  {why}" for why in laws.missing]
    if report.optimum is not None:
        lines += _optimum_lines(report.optimum)
    return "\n".join(lines)


def _optimum_lines(best: Optimum) -> list[str]:
    parts = [
        f"{name} {number(value)} ({_interval_text(interval)})"
        for name, value, interval in (
            ("loss", best.loss, best.loss_interval),
            ("features", best.features, best.features_interval),
            ("steps", best.steps, best.steps_interval),
            ("lr", best.lr, best.lr_interval),
        )
        if value is not None and interval is not None
    ]
    lines = [f"  at {best.compute:.3g}: {', '.join(parts)}", f"  {best.said_of_intervals()}"]
    if best.beyond > 1:
        lines.append(f"  That is {best.beyond:.3g} times the largest compute measured.")
    return lines


def _interval_text(interval: Interval) -> str:
    if not interval.told:
        return "its uncertainty cannot be estimated"
    return f"95% interval {interval.text(number)}"


def _law_text(law: PowerLaw) -> str:
    floor = f" + {law.irreducible:.4g}" if law.irreducible is not None else ""
    return f"{law.coefficient:.4g} · C^{law.exponent:.4f}{floor} ({law.interval_text()})"
