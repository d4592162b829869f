"""The job `train`: from activations to a saved dictionary, or to several in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

import msgspec

from sae_desktop.devices.abilities import float64_of
from sae_desktop.dictionary import save
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.project import Project
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.training import observer as watching
from sae_desktop.training import run_folder
from sae_desktop.training.checkpoint import (
    Progress,
    StorePosition,
    StreamPosition,
    delete_checkpoints,
    keep_newest,
)
from sae_desktop.training.config import TrainConfig, TrainResult
from sae_desktop.training.loss_pace import LossPace
from sae_desktop.training.measuring.held_out import HeldOut
from sae_desktop.training.observer import Metric, RunClock, RunObserver, Tell
from sae_desktop.training.reservation import reserved
from sae_desktop.training.rows.data import Sides
from sae_desktop.training.rows.layer_view import LayerView
from sae_desktop.training.rows.source import Source, StoreSource
from sae_desktop.training.rows.streaming import StreamSource
from sae_desktop.training.run_group import Member, RunGroup
from sae_desktop.training.run_log import RunLogWriter
from sae_desktop.training.run_setup import (
    PlannedRun,
    begin_state,
    identity,
    plan_run,
    record,
)
from sae_desktop.training.started import STARTED_FROM, started_text
from sae_desktop.training.starting import opened_start
from sae_desktop.training.trainer import Run, TrainerState

Outcome = TrainResult | UserError
OpenSource = Callable[[PlannedRun, JobContext], Source]
View = Callable[[Source, PlannedRun], LayerView]
Begun = Callable[[TrainerState], None]
Logged = Member[RunObserver]


def train(config: TrainConfig, context: JobContext) -> TrainResult:
    """Train a dictionary, or continue with an unfinished run of the same settings.

    On pause, cancel, a fault and every few minutes a checkpoint is written, from which the run
    continues bit for bit. Raises UserError for settings that cannot work, a name taken by another
    run, rows that cannot be trained on, a training that diverges, or a full disk.
    """
    with reserved(Project.open(config.project), [config.name]):
        outcome = train_together([config], context)[0]
    if isinstance(outcome, UserError):
        raise outcome
    return outcome


def train_together(configs: Sequence[TrainConfig], context: JobContext) -> list[Outcome]:
    """Train several dictionaries, those that learn from the same batches in one pass.

    Each comes out as `train` alone would give it. The caller has reserved them. Returns what
    became of each, in order: its result, or the UserError that ended it; the others continue.
    Raises JobCancelledError.
    """
    outcomes: dict[int, Outcome] = {}
    planned: dict[int, PlannedRun] = {}
    names: set[str] = set()
    for number, config in enumerate(configs):
        try:
            if config.name in names:
                raise UserError(f"Two runs are called “{config.name}”.")
            names.add(config.name)
            run = plan_run(config)
        except UserError as error:
            outcomes[number] = error
            continue
        if run.finished is not None:
            context.log(f"The dictionary “{config.name}” is already trained.")
            outcomes[number] = run.finished
        else:
            planned[number] = run
    for group in _groups(planned):
        runs = [planned[number] for number in group]
        try:
            found = train_group(runs, context)
        except UserError as error:
            found = [error] * len(runs)
        outcomes |= zip(group, found, strict=True)
    return [outcomes[number] for number in range(len(configs))]


def _groups(planned: dict[int, PlannedRun]) -> Iterable[list[int]]:
    """Return the numbers of the runs that can share their batches."""
    groups: dict[str, list[int]] = {}
    for number, run in planned.items():
        groups.setdefault(_batches_of(run), []).append(number)
    return groups.values()


def _batches_of(run: PlannedRun) -> str:
    """What decides which batches a run sees, as JSON."""
    config = run.config
    neutral = TrainConfig(
        project=config.project,
        name="",
        activations=config.activations,
        stream=config.stream,
        target=config.target,
        sites=config.sites,
        output_sites=config.output_sites,
        other_activations=config.other_activations,
        batch=config.batch,
        seed=config.seed,
        centre=config.centre,
        exclude_massive=config.exclude_massive,
        device=config.device,
        metric_rows=config.metric_rows,
        # The pools of a stream are cut from the length of the run.
        tokens=config.tokens if config.stream else 0,
    )
    position = run.checkpoint.progress.position if run.checkpoint else None
    store = position if isinstance(position, StorePosition) else None
    return (msgspec.json.encode(neutral) + msgspec.json.encode(store)).decode()


def train_group(
    runs: Sequence[PlannedRun],
    context: JobContext,
    open_source: OpenSource | None = None,
    view: View | None = None,
    begun: Begun | None = None,
) -> list[Outcome]:
    """Train runs that share their batches. Raises UserError for what concerns all of them.

    `open_source` opens their rows, from where a run stands; `view` is the part of these rows that
    a run learns from, where that is not all; `begun` is called with each run's state before its
    first step.
    """
    config = runs[0].config
    behind = min(runs, key=lambda run: run.rows)
    total = max(run.config.tokens for run in runs)

    def tell(rows: int, doing: str) -> None:
        context.progress(rows, total, "rows", doing)

    tell(behind.rows, "Opening the rows")
    context.check_cancelled()
    source = (open_source or _open_source)(behind, context)
    for note in source.notes:
        context.log(note)
    text, sample = None, None
    tell(behind.rows, "Loading the model for measuring the loss")
    context.check_cancelled()
    try:
        text, sample = source.texts(config.device)
    except UserError as error:
        context.log(f"The loss recovered is not measured: {error}")
    held_out = HeldOut(source.held_out(config.metric_rows), text, sample) if view is None else None
    clock, pace = RunClock(), LossPace(sum(run.config.measure_loss for run in runs) or 1)
    # The curves of several runs cannot be told apart in one job's: each is in its own file.
    metric = context.metric if len(runs) == 1 else _no_metric
    members: list[Logged | UserError] = []
    try:
        for number, run in enumerate(runs, 1):
            which = f" ({number} of {len(runs)})" if len(runs) > 1 else ""
            tell(run.rows, f"Preparing “{run.config.name}”{which}")
            context.check_cancelled()
            own, measured = source, held_out
            if view is not None:
                own = part = view(source, run)
                measured = part.measured_on(config.metric_rows, text, sample)
            assert measured is not None
            try:
                member = _begin(run, own, measured, clock, metric, pace, tell, context)
            except UserError as error:
                members.append(error)
            else:
                members.append(member)
                if begun is not None:
                    begun(member.run.state)
                if run.rows:
                    context.log(f"Resuming at {run.rows:,} of {run.config.tokens:,} rows.")
        going = [member for member in members if isinstance(member, Member)]
        if going:
            RunGroup(going, source, context, clock).run()
        return [m if isinstance(m, UserError) else _finish(m, m.source) for m in members]
    finally:
        for ended in members:
            if isinstance(ended, Member):
                ended.observer.log.close()
                _leave_nothing_of_nothing(ended)


def _leave_nothing_of_nothing(member: Logged) -> None:
    """Remove the folder of a run that ended before its first step was kept."""
    folder = member.planned.folder
    kept = (folder / run_folder.CFG).is_file() or any(member.planned.checkpoints.glob("*"))
    if kept or member.run.state.step:
        return
    (folder / run_folder.RUN_LOG).unlink(missing_ok=True)
    for empty in (member.planned.checkpoints, folder):
        with suppress(OSError):
            empty.rmdir()


def _open_source(run: PlannedRun, context: JobContext) -> Source:
    """Open the rows of a run, normalised as they were when it began."""
    position = run.checkpoint.progress.position if run.checkpoint else None
    source: Source
    if run.config.stream is not None:
        stream = position if isinstance(position, StreamPosition) else None
        source = StreamSource(run.config, stream, context)
    else:
        store = position if isinstance(position, StorePosition) else None
        source = StoreSource(run.config, store)
    restore_sides(run, source)
    return source


def restore_sides(run: PlannedRun, source: Source) -> None:
    """Have rows normalised as they were when the run began."""
    if run.checkpoint is None:
        return
    saved = dict(run.checkpoint.group("sides"))
    own = source.sides.tensors()
    # Rows of another shape are refused with the weights, which say more to a person.
    if {k: v.shape for k, v in saved.items()} == {k: v.shape for k, v in own.items()}:
        source.sides = Sides.restored(saved)


def _begin(
    run: PlannedRun,
    source: Source,
    held_out: HeldOut,
    clock: RunClock,
    metric: Metric,
    pace: LossPace,
    tell: Tell,
    context: JobContext,
) -> Logged:
    start = None if run.checkpoint else opened_start(run.config, source.plan, source.sides)
    state = begin_state(run, source, resolve_device(run.config.device), start)
    progress = run.checkpoint.progress if run.checkpoint else Progress(config=identity(run.config))
    observer = RunObserver(
        run.config, run.recipe, metric, _open_log(run, progress), held_out, source.sides,
        progress, clock, pace, tell, lambda: context.ending, context.log,
    )  # fmt: skip
    if start is not None:
        tell(0, f"Measuring “{start.told.name}”, from which “{run.config.name}” starts")
        before = observer.measure_start(start.dictionary.to(state.device))
        told = msgspec.structs.replace(start.told, before=before)
        progress = msgspec.structs.replace(progress, started_from=told)
        context.log(started_text(told, before, run.config.k))
    return Member(
        planned=run,
        run=Run(
            state,
            run.recipe,
            observer,
            rows=run.config.tokens,
            select=source.select if isinstance(source, LayerView) else None,
        ),
        source=source,
        observer=observer,
        progress=progress,
        settled_at=state.step,
    )


def _no_metric(step: int, values: Mapping[str, float]) -> None:
    del step, values


def _open_log(run: PlannedRun, progress: Progress) -> RunLogWriter:
    path = run.folder / run_folder.RUN_LOG
    if path.is_file() and progress.step:
        return RunLogWriter(
            path,
            keep_points=progress.points,
            keep_snapshots=progress.snapshots,
            keep_changes=len(progress.changes),
        )
    points = min(run.recipe.steps, watching.CURVE_POINTS) + 2
    return RunLogWriter.create(
        path, record(run.config), points=points, snapshots=watching.SNAPSHOTS + 2
    )


def _finish(member: Logged, source: Source) -> Outcome:
    """Save a run's dictionary; where there is no room, what it has learned stays."""
    if member.observer.failure is not None:
        return member.observer.failure
    # Writing a dictionary takes a copy of it; its moments, twice as large, are needed no more.
    member.run.state.optimiser.state.clear()
    try:
        try:
            return _save(member, source)
        except UserError:
            keep_newest(member.planned.checkpoints)  # which may make the room that was missing
            return _save(member, source)
    except UserError as error:
        return UserError(
            f"The dictionary “{member.name}” was trained but could not be saved. {error.what}",
            kept="Its last checkpoint is kept.",
            next_step="Free some space and start the same training again: it resumes from there.",
        )


def _save(member: Logged, source: Source) -> TrainResult:
    config, state, observer = member.planned.config, member.run.state, member.observer
    folder = member.planned.folder
    dictionary = observer.folded(state)
    started = member.progress.started_from
    dictionary.metadata = {
        **source.metadata(),
        "training_architecture": config.architecture,
        "training_rows": state.rows,
    }
    if started is not None:
        started = msgspec.structs.replace(started, after=observer.figures_of(dictionary, state))
        dictionary.metadata[STARTED_FROM] = msgspec.to_builtins(started)
    fit = observer.fit(dictionary)
    dead_window = member.run.recipe.dead_window
    result = TrainResult(
        name=config.name,
        architecture=config.architecture,
        features=config.features,
        steps=state.step,
        rows=state.rows,
        loss=observer.loss,
        l0=fit.l0,
        fvu=fit.fvu,
        dead_fraction=float(float64_of(state.firing.dead(dead_window)).mean()),
        dead_window=min(dead_window, state.rows),
        seconds=observer.seconds,
        rows_per_second=state.rows / max(observer.seconds, 1e-9),
        stopped_early=member.stopped_early,
        waited_share=min(1.0, observer.waited / max(observer.seconds, 1e-9)),
        changes=member.progress.changes,
        started_from=started,
    )
    write_bytes(folder / run_folder.TRAIN_CONFIG, record(config).encode())
    write_bytes(folder / run_folder.TRAIN_RESULT, msgspec.json.encode(result))
    save(dictionary, folder)
    delete_checkpoints(member.planned.checkpoints)
    return result
