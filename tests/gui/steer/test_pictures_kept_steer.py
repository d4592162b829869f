"""Presets and earlier runs with pictures in the Steer workspace."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from toy_pictures import noise_picture

from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.preset_button import run_title
from sae_desktop.gui.steer.steering import SteeringPanel
from sae_desktop.pictures.reading import read_picture
from sae_desktop.pictures.thumbnails import thumbnail
from sae_desktop.steering.config import SteerConfig, SteerResult, VariantResult
from sae_desktop.steering.export_config import ExportSteeringConfig
from sae_desktop.steering.history import runs
from sae_desktop.steering.kept_pictures import KeptPicture
from sae_desktop.steering.presets import read_preset


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "horse.png"
    noise_picture(20, 10, seed=1).save(path)
    return path


@pytest.fixture
def steered(panel: SteeringPanel, session: Session, picture: Path) -> SteeringPanel:
    session.steerRequested.emit(3)
    panel.form.prompt.setPlainText("English:")
    panel.form.strip.add([str(picture)])
    return panel


@pytest.fixture
def said(session: Session) -> list[str]:
    found: list[str] = []
    session.noticeRaised.connect(found.append)
    session.errorRaised.connect(lambda error: found.append(error.what))
    return found


def _read(picture: Path) -> KeptPicture:
    found = read_picture(picture)
    return KeptPicture(place=str(picture), digest=found.digest, thumbnail=thumbnail(found.image))


def _generated(panel: SteeringPanel, client, picture: Path) -> None:
    panel.generate()
    job = client.jobs[-1]
    assert isinstance(job.config, SteerConfig)
    variants = [VariantResult(name=v.name, prompt="English:", text=f" a {v.name}")
                for v in job.config.variants]  # fmt: skip
    result = SteerResult(variants=variants, next_tokens=[], pictures=[_read(picture)])
    client.answer(job, result)


def test_a_preset__has_its_picture_and_gives_it_back(
    steered: SteeringPanel, session: Session, client, picture: Path, said: list[str]
) -> None:
    _generated(steered, client, picture)
    assert not steered.form.strip.names[0].icon().isNull()  # the engine has read it
    steered.presets.save_as("light")
    steered.presets.save_as("whole", whole=True)
    assert session.project is not None
    light, whole = (read_preset(session.project, name) for name in ("light", "whole"))
    assert [one.place for one in light.pictures] == [str(picture)]
    assert light.pictures[0] == _read(picture)
    assert whole.pictures[0].whole == picture.read_bytes()
    said.clear()
    steered.form.strip.set_files([])
    steered.presets.open_preset("light")
    assert steered.form.strip.files == [str(picture)]
    assert said == []

    # Another picture in its place is used, and said.
    noise_picture(20, 10, seed=2).save(picture)
    steered.presets.open_preset("light")
    assert "“horse.png” has changed since it was kept" in said[-1]
    assert steered.form.strip.names[0].text() == "horse.png · changed"
    # The one that was kept whole is what it was.
    said.clear()
    steered.presets.open_preset("whole")
    (file,) = steered.form.strip.files
    assert Path(file).read_bytes() == whole.pictures[0].whole
    assert said == []
    steered.form.strip.learn([msgspec.structs.replace(_read(Path(file)), thumbnail=b"")])
    assert steered.form.strip.names[0].text() == "horse.png"
    steered.presets.save_as("whole again")
    again = read_preset(session.project, "whole again").pictures[0]
    assert (again.place, again.whole) == (str(picture), whole.pictures[0].whole)

    picture.unlink()
    steered.presets.open_preset("light")
    assert "“horse.png” is no longer in" in said[-1]
    assert "add it from where it is now" in said[-1]
    assert steered.form.strip.names[0].text() == "horse.png · gone"
    assert "is no longer in" in steered.form.strip.names[0].toolTip()
    assert not steered.form.strip.names[0].icon().isNull()
    # It cannot be saved again as if it were there.
    steered.presets.save_as("again")
    assert said[-1].startswith("There is no file")
    assert "again" not in session.project.presets()


def test_a_run__keeps_its_picture_is_listed_with_it_and_can_be_run_again(
    steered: SteeringPanel, session: Session, client, picture: Path, said: list[str]
) -> None:
    _generated(steered, client, picture)
    assert session.project is not None
    (run,) = runs(session.project, 1)
    assert run.asked.pictures == [_read(picture)]
    assert "[horse.png] English:" in run_title(run)
    steered.presets.fill()
    earlier = next(a.menu() for a in steered.presets.menu().actions() if a.text() == "Earlier runs")
    assert not earlier.actions()[0].icon().isNull()
    said.clear()
    steered.form.strip.set_files([])
    steered.form.prompt.setPlainText("x")
    steered.presets.open_run(run)
    assert steered.outputs.steered.continuation == " a steered"
    assert said == []
    steered.generate()
    config = client.jobs[-1].config
    assert isinstance(config, SteerConfig)
    assert (config.prompt, config.pictures) == ("English:", [str(picture)])


def test_a_pasted_picture__is_kept_with_its_file(
    steered: SteeringPanel, session: Session, qapp
) -> None:
    from PySide6.QtGui import QImage

    image = QImage(6, 5, QImage.Format.Format_RGB32)
    image.fill(0x336699)
    steered.form.strip.add_pasted(image)
    steered.presets.save_as("pasted")
    assert session.project is not None
    kept = read_preset(session.project, "pasted").pictures
    assert [bool(one.whole) for one in kept] == [False, True]
    assert read_picture(kept[1].whole).image.size == (6, 5)


def test_an_export__is_told_of_the_pictures(
    steered: SteeringPanel, client, picture: Path, tmp_path: Path
) -> None:
    steered.presets.export_to(tmp_path / "s.py")
    config = client.jobs[-1].config
    assert isinstance(config, ExportSteeringConfig)
    assert config.pictures == [str(picture)]


def test_the_dialog__asks_whether_the_files_are_kept_only_with_pictures(
    steered: SteeringPanel, session: Session, picture: Path
) -> None:
    from sae_desktop.gui.steer.preset_name import PresetNameDialog

    steered.presets._on_save()
    (dialog,) = steered.window().findChildren(PresetNameDialog)
    assert not dialog.whole.isHidden()
    dialog.whole.setChecked(True)
    dialog.name.setText("whole")
    dialog.accept()
    assert session.project is not None
    assert read_preset(session.project, "whole").pictures[0].whole == picture.read_bytes()
