"""The form of a training that starts from a dictionary of the project."""

from __future__ import annotations

import msgspec
from frame_project import add_run
from pytestqt.qtbot import QtBot

from sae_desktop.gui.state.session import Session
from sae_desktop.gui.train.training import TrainingPanel
from sae_desktop.project import Project
from sae_desktop.training.run_folder import CFG
from sae_desktop.training.started import STARTED_FROM, StartedFrom, StartFigures


def _said(training: TrainingPanel, field: str) -> str:
    return str(training.form._explanations[field].text())


def test_dictionary_to_start_from__decides_what_it_holds_and_lets_go_again(
    training: TrainingPanel, session: Session
) -> None:
    fields = training.form.fields
    fields["lr"].setValue(0.002)
    session.changeRequested.emit("further", "done")
    config = training.config()
    assert (config.start_from, config.features, config.architecture) == ("done", 16, "matryoshka")
    assert config.name == "done-further"
    assert config.lr == 0.002
    held = [name for name in ("target", "architecture", "features") if not fields[name].isEnabled()]
    assert held == ["target", "architecture", "features"]
    assert "Taken over from “done”" in _said(training, "features")
    assert "the dictionary itself stays as it is" in _said(training, "start_from")
    assert training.form._groups["init"].isHidden()
    box = fields["start_from"]
    box.setCurrentIndex(0)
    box.activated.emit(0)
    assert training.config().start_from == ""
    assert all(fields[name].isEnabled() for name in held)
    assert not training.form._groups["init"].isHidden()


def test_dictionary_of_another_width__is_said_at_the_field(
    training: TrainingPanel, project: Project, session: Session
) -> None:
    path = project.dictionary_path("done") / CFG
    cfg = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode(cfg | {"d_in": 999}))
    session.look_again()
    session.changeRequested.emit("further", "done")
    assert "reads rows of width 999" in _said(training, "start_from")
    assert not training.setup.start_button.isEnabled()


def test_dictionary_no_training_starts_from__is_greyed_with_the_reason(
    training: TrainingPanel, project: Project, session: Session
) -> None:
    path = project.dictionary_path("done") / CFG
    cfg = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode(cfg | {"normalize_activations": "layer_norm"}))
    session.look_again()
    box = training.form.fields["start_from"]
    entry = box.model().item(box.findData("done"))
    assert not entry.isEnabled()
    assert "normalises each row" in entry.toolTip()
    menu = training.runs.menu(training.runs.model.run_at(training.runs.model.row_of("done") or 0))
    (further,) = [a for a in menu.actions() if a.text() == "Train it further…"]
    assert not further.isEnabled()
    menu.close()


def test_evaluation__says_what_became_of_the_dictionary_it_started_from(
    training: TrainingPanel, project: Project, session: Session, qtbot: QtBot
) -> None:
    add_run(project, "child")
    path = project.dictionary_path("child") / CFG
    cfg = msgspec.json.decode(path.read_bytes())
    before = StartFigures(rows=8192, l0=31.2, fvu=0.35, dead_fraction=0.08)
    after = StartFigures(rows=8192, l0=32.0, fvu=0.21, dead_fraction=0.01)
    told = StartedFrom(name="done", before=before, after=after)
    metadata = cfg.get("metadata", {}) | {STARTED_FROM: msgspec.to_builtins(told)}
    path.write_bytes(msgspec.json.encode(cfg | {"metadata": metadata}))
    session.look_again()
    training.board.draw("child")
    said = training.board.evaluation.started.text()
    assert "Started from “done”. On 8,192 held-out rows" in said
    assert "before: FVU 0.35, L0 31.2, 8.0% of its features silent" in said
    assert "After: FVU 0.21" in said
    training.board.draw("done")
    assert training.board.evaluation.started.text() == ""


def test_settings_of_a_run_whose_dictionary_is_gone__say_so(
    training: TrainingPanel, project: Project, session: Session, qtbot: QtBot
) -> None:
    run = training.config()
    there = msgspec.structs.replace(run, name="child", start_from="done")
    with qtbot.waitSignal(session.noticeRaised) as told:
        training.setup.copy_settings(there)
    assert told.args == ["These are the settings of “child”."]
    assert training.config().start_from == "done"
    with qtbot.waitSignal(session.noticeRaised) as told:
        training.setup.copy_settings(msgspec.structs.replace(run, name="child", start_from="gone"))
    assert "“gone”, from which it started, is no longer in the project" in told.args[0]
    assert training.config().start_from == ""
