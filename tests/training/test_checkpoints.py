"""Checkpoints: written whole, the newest that reads whole is used, the last good one survives."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from imported_rows import assert_same_weights, import_rows, run_config, toy_rows
from job_contexts import RecordingContext
from safetensors.torch import load_file
from torch import Tensor

from sae_desktop.dictionary.architectures import ARCHITECTURES
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training import checkpoint as checkpoints
from sae_desktop.training import run_group
from sae_desktop.training.checkpoint import (
    Progress,
    StorePosition,
    StreamPosition,
    load_checkpoint,
    save_checkpoint,
)
from sae_desktop.training.job import train

TENSORS = {
    "a": {
        "x": torch.arange(6.0).reshape(2, 3),
        "half": torch.ones(3, dtype=torch.bfloat16),
        "count": torch.tensor(7),
        "none": torch.empty(0, 4),
        "flags": torch.tensor([True, False]),
    },
    "b": {"x": torch.full((4,), 0.5).double()},
}


def _save(folder: Path, step: int, keep: int = 3) -> None:
    position = StorePosition(rows=10) if step % 2 else StreamPosition(windows=step)
    progress = Progress(config="{}", step=step, position=position)
    save_checkpoint(folder, progress, TENSORS, keep=keep)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def filled(project: Project) -> Project:
    torch.set_num_threads(1)
    import_rows(project, toy_rows(5000))
    return project


def test_checkpoint__comes_back_as_it_was_in_a_format_others_read(tmp_path: Path) -> None:
    _save(tmp_path, 41)
    found = load_checkpoint(tmp_path)
    assert found is not None
    assert found.progress.step == 41
    assert found.progress.position == StorePosition(rows=10)
    for prefix, group in TENSORS.items():
        read = dict(found.group(prefix))
        assert read.keys() == group.keys()
        for name, tensor in group.items():
            assert read[name].dtype == tensor.dtype
            assert torch.equal(read[name], tensor)
    assert torch.equal(load_file(found.path)["a/x"], TENSORS["a"]["x"])


def test_checkpoints__keep_the_last_few(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path) is None
    for step in range(1, 8):
        _save(tmp_path, step, keep=2)
    assert _names(tmp_path) == ["000000000006.safetensors", "000000000007.safetensors"]


def test_checkpoint__cut_short_gives_way_to_the_one_before(tmp_path: Path) -> None:
    _save(tmp_path, 1)
    _save(tmp_path, 2)
    newest = tmp_path / "000000000002.safetensors"
    os.truncate(newest, newest.stat().st_size - 1)
    found = load_checkpoint(tmp_path)
    assert found is not None
    assert found.progress.step == 1
    (tmp_path / "000000000001.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match="No checkpoint in") as error:
        load_checkpoint(tmp_path)
    assert "000000000002.safetensors" in error.value.what
    assert newest.exists()


def test_checkpoint__finds_room_by_giving_up_the_older_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = checkpoints._write
    room = 3

    def writes(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
        if len(list(tmp_path.glob("*.safetensors"))) >= room:
            raise UserError("The disk is full.")
        write(path, tensors, metadata)

    monkeypatch.setattr(checkpoints, "_write", writes)
    for step in range(1, 5):
        _save(tmp_path, step)
    assert _names(tmp_path) == ["000000000003.safetensors", "000000000004.safetensors"]
    room = 1
    with pytest.raises(UserError, match="disk is full"):
        _save(tmp_path, 5)
    assert _names(tmp_path) == ["000000000004.safetensors"]


def test_training__saves_every_so_often_and_removes_its_checkpoints_at_the_end(
    filled: Project,
) -> None:
    folder = filled.dictionary_path("d") / "checkpoint"
    most: list[int] = []

    def count(check: int) -> None:
        del check
        most.append(len(list(folder.glob("*.safetensors"))))

    train(
        run_config(filled, checkpoint_seconds=1e-6, keep_checkpoints=2),
        RecordingContext(on_check=count),
    )
    assert max(most) == 2
    assert not folder.exists()


def test_training__paused_has_been_saved_at_that_step(filled: Project) -> None:
    folder = filled.dictionary_path("d") / "checkpoint"
    context = RecordingContext()
    there: dict[int, int] = {}

    def pause(check: int) -> None:
        context.pause_requested = check == 10
        found = load_checkpoint(folder)
        there[check] = found.progress.rows if found else 0

    context.on_check = pause
    train(run_config(filled), context)
    assert there[10] == 0
    # Saved after the step at whose end the pause was found, before it blocks.
    done = [int(rows) for rows, _, _ in context.steps]
    assert there[11] in done
    assert there[11] > 0
    assert there[max(there)] == there[11]


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_training__resumed_thrice_gives_the_same_weights_bit_for_bit(
    filled: Project, architecture: str
) -> None:
    changes = {"architecture": architecture, "resample": True, "lr_warm_up": 0.1}
    train(run_config(filled, name="whole", **changes), SilentContext())
    for stop in (7, 12, 9):
        with pytest.raises(JobCancelledError):
            train(run_config(filled, **changes), RecordingContext(cancel_after=stop))
        assert "d" not in filled.dictionaries()
    train(run_config(filled, **changes), SilentContext())
    assert_same_weights(filled, "d", "whole")


def test_training__goes_on_when_the_disk_fills_and_saves_once_there_is_room(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_group, "_RETRY_SECONDS", 0.0)
    write, full = checkpoints._write, [False]

    def writes(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
        if full[0]:
            raise UserError("The disk is full: there is no room.")
        write(path, tensors, metadata)

    monkeypatch.setattr(checkpoints, "_write", writes)
    folder = filled.dictionary_path("d") / "checkpoint"
    there: dict[int, list[str]] = {}

    def fill(check: int) -> None:
        full[0] = 10 <= check < 20
        there[check] = _names(folder) if folder.exists() else []

    context = RecordingContext(on_check=fill, cancel_after=25)
    with pytest.raises(JobCancelledError):
        train(run_config(filled, checkpoint_seconds=1e-6), context)
    assert len(there[19]) == 1
    assert there[19][-1] == there[12][-1]
    assert len(there[25]) == 3
    said = [line for line in context.lines if "No checkpoint could be written" in line]
    assert said
    assert "The disk is full" in said[0]
    assert "continues" in said[0]


def test_training__that_diverges_keeps_the_last_good_checkpoint(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = ARCHITECTURES["topk"]
    gradients, steps = kind.gradients, [0]

    def breaks(self: object, batch: object, state: object) -> object:
        steps[0] += 1
        loss = gradients(self, batch, state)  # type: ignore[arg-type]
        if steps[0] == 30:
            self.parameters["W_enc"].grad.fill_(float("inf"))  # type: ignore[attr-defined]
        return loss

    monkeypatch.setattr(kind, "gradients", breaks)
    with pytest.raises(UserError, match="diverged") as error:
        train(run_config(filled, checkpoint_seconds=1e-6), SilentContext())
    assert "checkpoint" in error.value.kept
    found = load_checkpoint(filled.dictionary_path("d") / "checkpoint")
    assert found is not None
    assert found.progress.step == 29
    assert all(bool(tensor.isfinite().all()) for _, tensor in found.group("parameters"))


def test_training__that_breaks_down_between_two_steps_has_saved_what_it_learned(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(run_config(filled, name="whole"), SilentContext())

    def breaks(check: int) -> None:
        if check == 20:
            raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        train(run_config(filled), RecordingContext(on_check=breaks))
    found = load_checkpoint(filled.dictionary_path("d") / "checkpoint")
    assert found is not None
    assert found.progress.step > 10
    # In the middle of a step there is nothing whole to save.
    kind = ARCHITECTURES["topk"]
    with monkeypatch.context() as patch:
        patch.setattr(kind, "constrain_parameters", lambda self: os.strerror("no number"))
        with pytest.raises(TypeError):
            train(run_config(filled), SilentContext())
    again = load_checkpoint(filled.dictionary_path("d") / "checkpoint")
    assert again is not None
    assert again.progress == found.progress
    train(run_config(filled), SilentContext())
    assert_same_weights(filled, "d", "whole")


def test_training__with_no_room_for_the_dictionary_keeps_its_checkpoint(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sae_desktop.training import job

    train(run_config(filled, name="whole"), SilentContext())

    def full(*_: object) -> None:
        raise UserError(f"The disk is full ({os.strerror(errno.ENOSPC)}).")

    with monkeypatch.context() as patch:
        patch.setattr(job, "save", full)
        with pytest.raises(UserError, match=r"could not be saved\. The disk is full") as error:
            train(run_config(filled, checkpoint_seconds=1e-6), SilentContext())
    assert "checkpoint is kept" in error.value.kept
    assert "start the same training again" in error.value.next_step
    assert len(_names(filled.dictionary_path("d") / "checkpoint")) == 1
    train(run_config(filled), SilentContext())
    assert_same_weights(filled, "d", "whole")


def test_checkpoint_of_another_shape__is_refused_with_both_shapes(filled: Project) -> None:
    with pytest.raises(JobCancelledError):
        train(run_config(filled), RecordingContext(cancel_after=10))
    folder = filled.dictionary_path("d") / "checkpoint"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    # The store's name now stands for rows of another width.
    for path in filled.store_path("acts").iterdir():
        path.unlink()
    import_rows(filled, toy_rows(5000)[:, :12])
    with pytest.raises(UserError, match="does not fit this run") as error:
        train(run_config(filled), SilentContext())
    assert "(48, 16)" in error.value.what
    assert "(48, 12)" in error.value.what
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
