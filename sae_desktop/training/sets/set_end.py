"""The end of a set's training: what all members do together is measured, and the set written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from sae_desktop.dictionary import load
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.dictionary.set_info import ALL, SetOrigin, describe_set, write_set_info
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.project import Project
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.training.config import TrainResult
from sae_desktop.training.origin import now_text
from sae_desktop.training.rows.source import Source
from sae_desktop.training.set_config import SET_RESULT, SetLayerFigures, TrainSetResult
from sae_desktop.training.sets.across_figures import across_figures
from sae_desktop.training.sets.replaced import Replaced, measure_replaced
from sae_desktop.training.sets.set_plan import SetPlan


def finish_set(
    project: Project,
    plan: SetPlan,
    results: Sequence[TrainResult],
    rows: Callable[[], Source],
    context: JobContext,
) -> TrainSetResult:
    """Write the set of members that are all trained, and what is known of it.

    `rows` gives the rows they learned from. Raises UserError when the disk is full.
    """
    folder = project.set_path(plan.config.name)
    most = max(result.rows for result in results)
    context.progress(most, most, "rows", "Measuring all layers together")
    seconds = max(result.seconds for result in results)
    measured = _together(project, plan, rows, context)
    result = TrainSetResult(
        name=plan.config.name,
        kind=plan.config.kind,
        layers=plan.layers,
        features=plan.features,
        rows=most,
        figures=_figures(project, plan, results, rows),
        loss_recovered=None if measured is None else measured.recovered,
        kl=None if measured is None else measured.kl,
        seconds=seconds,
        rows_per_second=most / max(seconds, 1e-9),
        stopped_early=any(result.stopped_early for result in results),
        bytes=sum(path.stat().st_size for path in folder.glob("*/*.safetensors")),
    )
    texts = plan.rows.stream.corpus if plan.rows.stream is not None else plan.rows.activations
    origin = SetOrigin(kind="trained", source=texts, when=now_text())
    layers = None if plan.across else list(plan.layers)
    info = describe_set(folder, layers, origin)
    write_bytes(folder / SET_RESULT, msgspec.json.format(msgspec.json.encode(result)))
    write_set_info(folder, info)
    return result


def _figures(
    project: Project, plan: SetPlan, results: Sequence[TrainResult], rows: Callable[[], Source]
) -> tuple[SetLayerFigures, ...]:
    if plan.across:
        across = load(project.dictionary_path(plan.members[0].name))
        assert isinstance(across, CrossLayerDictionary)
        own = rows().held_out(plan.rows.metric_rows)
        return across_figures(plan.layers, across, own, results[0].dead_fraction)
    return tuple(
        SetLayerFigures(layer=layer, fvu=one.fvu, l0=one.l0, dead_fraction=one.dead_fraction)
        for layer, one in zip(plan.layers, results, strict=True)
    )


def _together(
    project: Project, plan: SetPlan, rows: Callable[[], Source], context: JobContext
) -> Replaced | None:
    """Measure the model with all members in place; None where there is no model of the rows."""
    try:
        text = rows().texts(plan.rows.device)[0]
    except UserError as error:
        context.log(f"The loss with all MLPs replaced is not measured: {error}")
        return None
    if text is None or context.stop_requested:
        return None
    folder = project.set_path(plan.config.name)
    if plan.across:
        across = load(folder / ALL)
        assert isinstance(across, CrossLayerDictionary)
        return measure_replaced(text, across, context.check_cancelled)
    members = [load(folder / name) for name in plan.folders]
    return measure_replaced(text, members, context.check_cancelled)
