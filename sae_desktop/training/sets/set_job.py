"""The job `train_set`: transcoders for all layers of a model, or one cross-layer transcoder.

All members learn from the same rows in one pass; each is a run of its own in the set's folder,
with curves and checkpoints as any other, so that a set continues where its members stand. What is
wanted is in `train.json` from the start; `set.json` comes last and makes it a set.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from sae_desktop.activations.store import ActivationStore
from sae_desktop.corpus.config import decode_made
from sae_desktop.dictionary.set_info import SET_FILE
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.sites.resolve import list_sites
from sae_desktop.project import Project, config_record, existing
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained
from sae_desktop.training.checkpoint import StorePosition, StreamPosition
from sae_desktop.training.job import restore_sides, train_group
from sae_desktop.training.reservation import reserved
from sae_desktop.training.rows.layer_view import LayerView
from sae_desktop.training.rows.source import Source, StoreSource
from sae_desktop.training.rows.streaming import StreamSource
from sae_desktop.training.run_setup import PlannedRun, identity, plan_run
from sae_desktop.training.set_config import (
    SET_RESULT,
    SET_TRAIN,
    TrainSetConfig,
    TrainSetResult,
)
from sae_desktop.training.sets.set_end import finish_set
from sae_desktop.training.sets.set_plan import SetPlan, plan_set, sites_of
from sae_desktop.training.sets.set_room import BUDGET, refuse_what_cannot_fit


def train_set(config: TrainSetConfig, context: JobContext) -> TrainSetResult:
    """Train a set, or continue with an unfinished one of the same settings.

    Raises UserError for settings that cannot work, a name that is taken, what does not fit into
    memory or on the disk, rows that cannot be trained on, a member that diverges, or a full disk.
    """
    project = Project.open(config.project)
    folder = project.set_path(config.name)
    context.progress(0, config.train.tokens, "rows", "Opening the model")
    plan = plan_set(config, _sites_there(project, config, context))
    finished = _claimed(folder, plan)
    if finished is not None:
        context.log(f"The set “{config.name}” is already trained.")
        context.progress(config.train.tokens, config.train.tokens, "rows")
        return finished
    with reserved(project, [config.name, *(member.name for member in plan.members)]):
        try:
            return _train(project, folder, plan, context)
        finally:
            _leave_nothing_of_nothing(folder)


def _train(project: Project, folder: Path, plan: SetPlan, context: JobContext) -> TrainSetResult:
    with explained(folder):
        for name in plan.folders:
            (folder / name).mkdir(parents=True, exist_ok=True)
    write_bytes(folder / SET_TRAIN, _record(plan.config).encode())
    planned = [plan_run(member) for member in plan.members]
    results = {run.config.name: run.finished for run in planned if run.finished is not None}
    waiting = [run for run in planned if run.finished is None]
    rows = _Rows(plan, waiting)
    if waiting:
        view = None if plan.across else rows.view
        outcomes = train_group(waiting, context, open_source=rows.open, view=view)
        for run, outcome in zip(waiting, outcomes, strict=True):
            if isinstance(outcome, UserError):
                raise UserError(
                    f"The set “{plan.config.name}” is not complete. {outcome.what}",
                    kept=outcome.kept or "The other layers are kept.",
                    next_step=outcome.next_step,
                ) from outcome
            results[run.config.name] = outcome
    found = [results[member.name] for member in plan.members]
    return finish_set(project, plan, found, partial(rows.at_hand, context), context)


class _Rows:
    """The rows that all members of a set learn from."""

    def __init__(self, plan: SetPlan, runs: list[PlannedRun]) -> None:
        """`runs` are those still to be trained."""
        self._plan, self._runs = plan, runs
        self._source: Source | None = None

    def open(self, behind: PlannedRun, context: JobContext) -> Source:
        """Open the rows from where a run stands, normalised as they were when it began.

        Raises UserError for a set that does not fit into memory or on the disk.
        """
        position = behind.checkpoint.progress.position if behind.checkpoint else None
        source = self._source = self._opened(position, context)
        device = resolve_device(behind.config.device)
        refuse_what_cannot_fit(self._plan, source.plan, device)
        for run in self._runs:
            restore_sides(run, source if self._plan.across else self.view(source, run))
        return source

    def view(self, source: Source, run: PlannedRun) -> LayerView:
        """Return the part of the rows that a run learns from."""
        return LayerView(source, self._plan.number_of(run.config))

    def at_hand(self, context: JobContext) -> Source:
        """Return the rows that were opened, or open them to measure on those held out."""
        if self._source is None:
            self._source = self._opened(None, context)
        return self._source

    def _opened(
        self, position: StorePosition | StreamPosition | None, context: JobContext
    ) -> Source:
        plan = self._plan
        if plan.rows.stream is None:
            store = position if isinstance(position, StorePosition) else None
            return StoreSource(plan.rows, store, plan.resolve)
        stream = position if isinstance(position, StreamPosition) else None
        return StreamSource(plan.rows, stream, context, budget=BUDGET, resolve=plan.resolve)


def _sites_there(project: Project, config: TrainSetConfig, context: JobContext) -> list[str]:
    """Return the sites of the store, or of the model that is to be streamed from."""
    stream = config.train.stream
    if stream is None:
        name = existing("activation store", config.train.activations, project.stores())
        return list(ActivationStore.open(project.store_path(name)).info.sites)
    lm = load_model(
        stream.model, config.train.device, stream.model_dtype, fetch=True, context=context
    )
    return list_sites(lm.model)


def _claimed(folder: Path, plan: SetPlan) -> TrainSetResult | None:
    """Return the result of a finished set of the same settings.

    Raises UserError where the name is taken by a set of other settings, or from elsewhere.
    """
    if not folder.exists() or not any(folder.iterdir()):
        return None
    if not _same(folder, plan):
        raise UserError(
            f"There is already a set “{plan.config.name}”, made with other settings.",
            kept="It was left unchanged.",
            next_step="Choose another name, or delete that set.",
        )
    if not (folder / SET_FILE).is_file():
        return None
    try:
        return msgspec.json.decode((folder / SET_RESULT).read_bytes(), type=TrainSetResult)
    except (OSError, ValueError, RecursionError):
        return None


def _same(folder: Path, plan: SetPlan) -> bool:
    """Whether the set in a folder was started with the settings asked for, wherever it ran."""
    try:
        known = decode_made((folder / SET_TRAIN).read_bytes(), TrainSetConfig)
        asked = msgspec.structs.replace(known, project=plan.config.project, name=plan.config.name)
        begun = plan_set(asked, sites_of(plan.there))
    except FileNotFoundError:
        # A set that ended before this was written has folders of members and nothing in them.
        return not (folder / SET_FILE).exists() and not any(folder.glob("*/*"))
    except (OSError, ValueError, RecursionError, UserError):
        return False
    kinds = {(own.kind, own.kind == "transcoders" and own.skip) for own in (asked, plan.config)}
    identities = [[identity(member) for member in own.members] for own in (begun, plan)]
    return len(kinds) == 1 and identities[0] == identities[1]


def _record(config: TrainSetConfig) -> str:
    train = msgspec.structs.replace(config.train, project="", name="")
    if train.stream is not None:
        stream = msgspec.structs.replace(train.stream, project="", name="")
        train = msgspec.structs.replace(train, stream=stream)
    return config_record(msgspec.structs.replace(config, train=train))


def _leave_nothing_of_nothing(folder: Path) -> None:
    """Remove the folder of a set that ended before any of its runs kept a step."""
    if any(path.is_file() for path in folder.glob("*/**/*")):
        return
    with suppress(OSError):
        (folder / SET_TRAIN).unlink(missing_ok=True)
        for empty in (*folder.glob("*/*"), *folder.glob("*"), folder):
            empty.rmdir()
