"""A watch waits for what is half-written, compares each with the one before, and remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
import pytest

from sae_desktop.deletion import (
    delete_item,
    deletion_question,
    item_path,
    restore_item,
    trash_items,
)
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext, SilentContext
from sae_desktop.project import Project, checked_name
from sae_desktop.safety.change import watcher
from sae_desktop.safety.change.calibrating import calibrate_watch
from sae_desktop.safety.change.config import (
    CalibrateWatchConfig,
    CheckpointFigures,
    CompareCheckpointsConfig,
    CompareCheckpointsResult,
    WatchConfig,
)
from sae_desktop.safety.change.measured import KnownFirst
from sae_desktop.safety.change.watch_file import comparison_name, read_record
from sae_desktop.safety.change.watcher import watch_checkpoints
from sae_desktop.storage.lock import LockHeldError, ProjectLock, held_here
from sae_desktop.upkeep import writing

SIZES = {"c-1": 1.0, "c-2": 2.0, "c-3": 9.0, "c-4": 1.0}


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What was compared with what; a comparison gives the size in the checkpoint's file."""
    asked: list[tuple[str, ...]] = []

    def compare(
        config: CompareCheckpointsConfig,
        context: JobContext,
        writing: Callable[[], AbstractContextManager[None]],
        known: KnownFirst,
    ) -> CompareCheckpointsResult:
        del context, known
        with writing():
            assert held_here(Path(config.project))
        names = tuple(Path(one).name for one in config.checkpoints)
        text = (Path(config.checkpoints[-1]) / "config.json").read_text()
        if text == "other":
            raise UserError("It is not a checkpoint of the same model.")
        asked.append(names)
        figures = CheckpointFigures(
            name=names[-1], title=names[-1], identity="", loss=0, kl=0, difference=0,
            difference_p=1, difference_agreement=0, scores={"outputs": float(text)},
        )  # fmt: skip
        return CompareCheckpointsResult(name=config.name, site="s", checkpoints=[figures])

    monkeypatch.setattr(watcher, "compare_checkpoints", compare)
    monkeypatch.setattr(watcher, "incomplete", lambda path: "" if any(path.iterdir()) else "empty")
    return asked


def _save(folder: Path, name: str, size: object) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "config.json").write_text(str(size))


def _config(tmp_path: Path, **rest: object) -> WatchConfig:
    Project.open_or_create(tmp_path / "p")
    told = {"project": str(tmp_path / "p"), "name": "w", "folder": str(tmp_path / "run"),
            "base": "builtin", "every": 0.01, **rest}  # fmt: skip
    return msgspec.convert(told, WatchConfig)


def test_watch__compares_each_with_the_one_before_and_resumes(
    tmp_path: Path, compared: list[tuple[str, ...]]
) -> None:
    for name in ("c-1", "c-2"):
        _save(tmp_path / "run", name, SIZES[name])
    watch_checkpoints(_config(tmp_path, expected=2), SilentContext())
    assert compared == [("builtin", "c-1"), ("builtin", "c-1", "c-2")]
    _save(tmp_path / "run", "c-10", 4.0)
    result = watch_checkpoints(_config(tmp_path, expected=3), SilentContext())
    assert compared[2:] == [("builtin", "c-2", "c-10")]
    assert [one.scores["outputs"] for one in result.watched] == [1.0, 2.0, 4.0]
    with pytest.raises(UserError, match="already a watch “w”"):
        watch_checkpoints(_config(tmp_path, texts=9), SilentContext())


class _Grows(SilentContext):
    """Completes the second checkpoint while the watch waits."""

    def __init__(self, folder: Path) -> None:
        self._steps = self._write(folder)
        self.outputs: list[str] = []

    def _write(self, folder: Path) -> Iterator[None]:
        for _ in range(5):
            yield
        for size in (7.0, 8.0, 9.0):  # it grows between looks
            _save(folder, "c-2", size)
            yield

    def check_cancelled(self) -> None:
        next(self._steps, None)

    def output(self, data: msgspec.Struct) -> None:
        self.outputs.append(data.name)  # type: ignore[attr-defined]


def test_watch__waits_for_a_checkpoint_that_is_being_written_and_keeps_the_order(
    tmp_path: Path, compared: list[tuple[str, ...]]
) -> None:
    run = tmp_path / "run"
    _save(run, "c-1", 1.0)
    _save(run, "c-3", 3.0)
    (run / "c-2").mkdir()
    context = _Grows(run)
    result = watch_checkpoints(_config(tmp_path, expected=3), context)
    assert [one[-1] for one in compared] == ["c-1", "c-2", "c-3"]
    assert result.watched[1].scores == {"outputs": 9.0}
    assert context.outputs == ["c-1", "c-2", "c-3"]


def test_watch__leaves_out_what_cannot_be_read_and_ends_when_nothing_comes(
    tmp_path: Path, compared: list[tuple[str, ...]]
) -> None:
    run = tmp_path / "run"
    _save(run, "c-1", 1.0)
    _save(run, "c-2", "other")
    _save(run, "c-3", 3.0)
    (run / "c-4").mkdir()
    result = watch_checkpoints(_config(tmp_path, idle=0.003), SilentContext())
    assert compared[-1] == ("builtin", "c-1", "c-3")
    assert list(result.skipped) == ["c-2"]
    assert result.waiting == ["c-4: empty"]


@pytest.mark.parametrize(
    "lacking",
    [
        {"base": "nowhere"},
        {"dictionary": "nowhere"},
        {"traits": ["nowhere"]},
        {"corpus": "nowhere.txt"},
    ],
)
def test_watch__is_refused_what_it_would_leave_every_checkpoint_out_for(
    tmp_path: Path, compared: list[tuple[str, ...]], lacking: dict[str, object]
) -> None:
    _save(tmp_path / "run", "c-1", 1.0)
    with pytest.raises(UserError, match="nowhere"):
        watch_checkpoints(_config(tmp_path, expected=1, **lacking), SilentContext())
    assert compared == []


@pytest.mark.parametrize("checkpoint", ["step=100", "s" * 90 + "100", "étape 100", "100"])
def test_comparison__of_any_folder_has_a_name_that_the_project_takes(checkpoint: str) -> None:
    name = comparison_name("run of a long name " + "x" * 60, checkpoint)
    assert checked_name(name) == name
    assert name.endswith("100")


class _Looks(SilentContext):
    """Notes at every look whether the project is free, and takes it once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.free: list[bool] = []
        self.waited: list[str] = []

    def check_cancelled(self) -> None:
        self.free.append(not held_here(self._project.path))

    def log(self, message: str) -> None:
        self.waited.append(message)


def test_watch__leaves_the_project_to_others_while_it_waits(
    tmp_path: Path, compared: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(tmp_path / "run", "c-1", 1.0)
    config = _config(tmp_path, expected=1)
    project = Project.open(config.project)
    context = _Looks(project)
    tried: list[None] = []

    def taken_once(self: ProjectLock) -> None:
        tried.append(None)
        if len(tried) == 2:  # the first is the look at the start
            raise LockHeldError("The project “p” is already open in another window or job.")
        acquire(self)

    acquire = ProjectLock.acquire
    monkeypatch.setattr(ProjectLock, "acquire", taken_once)
    monkeypatch.setattr(watcher, "_BETWEEN_TRIES", 0.0)
    assert len(watch_checkpoints(config, context).watched) == 1
    assert all(context.free)
    assert context.waited == [
        "Waiting to write. The project “p” is already open in another window or job."
    ]
    with writing(project):  # as the engine of a window, which holds it all the time
        assert len(watch_checkpoints(config, SilentContext()).watched) == 1
    tried[:] = [None]
    with pytest.raises(LockHeldError):  # nobody waits for what was never free
        watch_checkpoints(config, SilentContext())


def test_alert__is_raised_between_the_right_two_and_kept(
    tmp_path: Path, compared: list[tuple[str, ...]]
) -> None:
    project = str(tmp_path / "p")
    for number in range(5):
        folder = tmp_path / f"harmless{number}"
        _save(folder, "c-1", 1.0 + number / 10)
        config = _config(tmp_path, name=f"h{number}", folder=str(folder), expected=1)
        watch_checkpoints(config, SilentContext())
    names = tuple(f"h{number}" for number in range(5))
    calibrate_watch(
        CalibrateWatchConfig(project=project, name="k", watches=names, rate=0.2), SilentContext()
    )
    for name, size in SIZES.items():
        _save(tmp_path / "run", name, size / 2)
    asked = _config(tmp_path, calibration="k", expected=4)
    result = watch_checkpoints(asked, SilentContext())
    assert [(alert.since, alert.checkpoint) for alert in result.alerts] == [("c-2", "c-3")]
    assert result.alerts[0].p == 0.2
    assert result.promised_up_to == 1
    kept = read_record(Project.open(project).watch_path("w"))
    assert [one.alert is not None for one in kept.watched] == [False, False, True, False]
    with pytest.raises(UserError, match="other settings"):
        watch_checkpoints(_config(tmp_path, name="v", calibration="k", texts=9), SilentContext())
    first = _config(tmp_path, name="u", calibration="k", stop_at_alert=True)
    assert len(watch_checkpoints(first, SilentContext()).watched) == 3


@pytest.mark.parametrize("kind", ["watch", "calibration"])
def test_what_was_watched_and_calibrated__is_deleted_and_restored_whole(
    tmp_path: Path, kind: str
) -> None:
    project = Project.open_or_create(tmp_path / "p")
    path = item_path(project, kind, "w")
    path.parent.mkdir()
    path.write_bytes(b"{}")
    listed = {"watch": project.watches, "calibration": project.calibrations}[kind]
    assert listed() == ["w"]
    assert "stay" in deletion_question(project, kind, "w")
    deleted = delete_item(project, kind, "w")
    assert listed() == []
    assert deleted.title == f"{kind} “w”"
    restore_item(project, trash_items(project)[0])
    assert path.read_bytes() == b"{}"
