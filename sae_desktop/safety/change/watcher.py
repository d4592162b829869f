"""Watching a folder: each new checkpoint, once it is complete, compared with the one before.

The folder is looked at every few seconds rather than told by the system: networks' folders, into
which clusters write, tell nothing, and whether a checkpoint is complete needs a second look
anyway. What was watched is kept in changes/<name>.watch.json, so a watch resumes where it ended.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Corpus
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext, SilentContext
from sae_desktop.language_model.files.find import find_model
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import Project, config_record, existing
from sae_desktop.safety.change.alerts import Calibration, alert_of
from sae_desktop.safety.change.checkpoint_files import Look, incomplete, look_at
from sae_desktop.safety.change.checkpoint_order import checkpoints_in
from sae_desktop.safety.change.config import (
    Alert,
    CompareCheckpointsConfig,
    WatchConfig,
    WatchedCheckpoint,
    WatchResult,
)
from sae_desktop.safety.change.job import compare_checkpoints
from sae_desktop.safety.change.measured import KnownFirst
from sae_desktop.safety.change.watch_file import (
    WatchRecord,
    comparison_name,
    read_calibration,
    read_record,
)
from sae_desktop.safety.change.watched_monitors import WatchedMonitors, scores_of
from sae_desktop.safety.concept_set import read_set
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained
from sae_desktop.upkeep import writing_briefly

_MINUTE = 60.0
_BETWEEN_TRIES = 2.0
"""Seconds between two tries to write, while another process has the project open."""
_WAITING = "Waiting for the next checkpoint"
_NAP = 0.2
"""Seconds between two looks at whether the watch is cancelled."""


def settings_of(config: WatchConfig) -> str:
    """Return as JSON what the scores of a watch depend on."""
    told = {
        name: getattr(config, name)
        for name in ("site", "dictionary", "corpus", "texts", "context_size", "traits", "seed")
    }
    if config.monitors:
        told["monitors"] = config.monitors
    return msgspec.json.encode(told).decode()


@dataclass
class _Folder:
    """What was seen at the last look."""

    path: Path
    looks: dict[str, Look] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    """Checkpoints that are not complete, and why."""

    def complete(self, done: set[str]) -> list[Path]:
        """Return the checkpoints that are new, and complete at two looks, in order.

        None that stands behind one that is still being written: each is compared with the one
        before.
        """
        found: list[Path] = []
        self.waiting = {}
        for checkpoint in checkpoints_in(self.path):
            name = checkpoint.name
            if name in done:
                continue
            look = look_at(checkpoint)
            same = bool(look) and look == self.looks.get(name)
            self.looks[name] = look
            why = incomplete(checkpoint) or ("" if same else "its files are still changing")
            if why:
                self.waiting[name] = why
            elif not self.waiting:
                found.append(checkpoint)
        return found


def watch_checkpoints(config: WatchConfig, context: JobContext) -> WatchResult:
    """Watch a folder until it is time to end, and return what was seen.

    Ends after `expected` checkpoints, after `idle` minutes without a new one, at the first alert
    if asked to, or when it is asked to stop. What was watched is kept after every checkpoint. A
    checkpoint that cannot be read is left out, and told. Raises UserError for a folder that is not
    there, for a base, text, dictionary or trait that is not, and for a calibration of other
    settings. The project's lock is held only while it writes.
    """
    refuse_beyond_limits(config)
    project = Project.open(config.project)
    path = project.watch_path(config.name)
    with writing_briefly(project, _refuse):
        _refuse_missing(project, config)
    calibration = _calibration(project, config)
    record = _record(path, config)
    record.config = config_record(config)
    known = KnownFirst()
    monitors = _monitors(project, config, record, context)
    folder = _Folder(Path(config.folder).expanduser())
    last_news = time.monotonic()
    while True:
        context.check_cancelled()
        done = {one.name for one in record.watched} | set(record.skipped)
        for checkpoint in folder.complete(done):
            _tell(config, record, context, f"Reading “{checkpoint.name}”")
            _take(project, record, checkpoint, config, calibration, monitors, known, context)
            with _writing(project, context), explained(path):
                write_bytes(path, msgspec.json.format(msgspec.json.encode(record)))
            last_news = time.monotonic()
            if record.watched and record.watched[-1].name == checkpoint.name:
                context.output(record.watched[-1])
            _tell(config, record, context)
            if _over(config, record):
                return _result(config, record, folder, calibration)
        idle = config.idle and time.monotonic() - last_news > config.idle * _MINUTE
        if _over(config, record) or idle or context.stop_requested:
            return _result(config, record, folder, calibration)
        told = next((_for_it(name, why) for name, why in folder.waiting.items()), _WAITING)
        _tell(config, record, context, told)
        _rest(config.every, context)


def _for_it(name: str, why: str) -> str:
    return f"Waiting for “{name}” to be complete: {why}"


def _tell(config: WatchConfig, record: WatchRecord, context: JobContext, what: str = "") -> None:
    seen = len(record.watched)
    context.progress(seen, max(config.expected, seen), "checkpoints", what)


def _monitors(
    project: Project, config: WatchConfig, record: WatchRecord, context: JobContext
) -> WatchedMonitors | None:
    if not config.monitors:
        return None
    found = WatchedMonitors(project, config, context)
    if record.watched:
        found.resume_after(str(Path(config.folder).expanduser() / record.watched[-1].name), context)
    return found


def _refuse(error: UserError) -> None:
    raise error


def _writing(project: Project, context: JobContext) -> AbstractContextManager[None]:
    """Hold the project's lock, which others may have meanwhile: the watch only needs it now."""

    def wait(error: UserError) -> None:
        if context.stop_requested:
            raise error
        context.log(f"Waiting to write. {error.what}")
        _rest(_BETWEEN_TRIES, context)

    return writing_briefly(project, wait)


def _refuse_missing(project: Project, config: WatchConfig) -> None:
    """Raise UserError for what every comparison would lack: each would leave its checkpoint out."""
    if config.base:
        find_model(config.base)
    if config.corpus:
        settings = CorpusSettings(corpus=config.corpus, context_size=config.context_size)
        if next(iter(Corpus(settings)), None) is None:
            raise UserError(
                f"There is no text in “{config.corpus}”.",
                kept="Nothing was changed.",
                next_step="Choose another text, or leave it out: the built-in text is read then.",
            )
    if config.dictionary:
        existing("dictionary", config.dictionary, project.all_dictionaries())
    for trait in config.traits:
        read_set(project, trait)


def _over(config: WatchConfig, record: WatchRecord) -> bool:
    enough = bool(config.expected) and len(record.watched) >= config.expected
    return enough or (config.stop_at_alert and any(one.alert for one in record.watched))


def _rest(seconds: float, context: JobContext) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not context.stop_requested:
        context.check_cancelled()
        time.sleep(min(_NAP, seconds))


def _calibration(project: Project, config: WatchConfig) -> Calibration | None:
    if not config.calibration:
        return None
    found = read_calibration(project.calibration_path(config.calibration))
    if found.settings != settings_of(config):
        raise UserError(
            f"The calibration “{config.calibration}” was made with other settings, so its "
            "threshold promises nothing here.",
            kept="Nothing was changed.",
            next_step="Watch with the same text, dictionary and traits: " + found.settings,
        )
    return found


def _record(path: Path, config: WatchConfig) -> WatchRecord:
    fresh = WatchRecord(folder=config.folder, settings=settings_of(config), watched=[], skipped={})
    if not path.is_file():
        return fresh
    kept = read_record(path)
    if (kept.folder, kept.settings) != (fresh.folder, fresh.settings):
        raise UserError(
            f"There is already a watch “{config.name}” of another folder or with other settings.",
            kept="It is unchanged.",
            next_step="Choose another name.",
        )
    return kept


def _take(
    project: Project,
    record: WatchRecord,
    checkpoint: Path,
    config: WatchConfig,
    calibration: Calibration | None,
    monitors: WatchedMonitors | None,
    known: KnownFirst,
    context: JobContext,
) -> None:
    """Compare a checkpoint with the one before; of the first without a base there is nothing."""
    before = str(checkpoint.parent / record.watched[-1].name) if record.watched else config.base
    if not before:
        record.watched.append(WatchedCheckpoint(name=checkpoint.name, scores={}))
        return
    models = [config.base, before] if config.base and before != config.base else [before]
    try:
        result = compare_checkpoints(
            CompareCheckpointsConfig(
                project=config.project,
                name=comparison_name(config.name, checkpoint.name),
                checkpoints=(*models, str(checkpoint)),
                site=config.site,
                dictionary=config.dictionary,
                corpus=config.corpus,
                texts=config.texts,
                context_size=config.context_size,
                traits=config.traits,
                steer=0.0,
                device=config.device,
                seed=config.seed,
            ),
            _Within(context),
            lambda: _writing(project, context),
            known,
        )
        tried = monitors.on(str(checkpoint), context) if monitors is not None else []
    except UserError as error:
        record.skipped[checkpoint.name] = error.what
        return
    scores = result.checkpoints[-1].scores | scores_of(tried)
    alert: Alert | None = None
    if calibration is not None:
        alert = alert_of(calibration, checkpoint.name, Path(before).name, scores)
    record.watched.append(
        WatchedCheckpoint(name=checkpoint.name, scores=scores, alert=alert, monitors=tried)
    )


def _result(
    config: WatchConfig, record: WatchRecord, folder: _Folder, calibration: Calibration | None
) -> WatchResult:
    return WatchResult(
        name=config.name,
        watched=record.watched,
        alerts=[one.alert for one in record.watched if one.alert is not None],
        waiting=[f"{name}: {why}" for name, why in folder.waiting.items()],
        skipped=record.skipped,
        promised_up_to=calibration.checkpoints if calibration else 0,
    )


class _Within(SilentContext):
    """The context of a comparison within a watch, whose progress counts checkpoints watched."""

    def __init__(self, context: JobContext) -> None:
        self._context = context

    def check_cancelled(self) -> None:
        self._context.check_cancelled()
