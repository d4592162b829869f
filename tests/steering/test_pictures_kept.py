"""Pictures of a prompt in presets, kept runs and scripts: the file, what became of it, the text."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from job_contexts import RecordingContext
from PIL import Image
from toy_index import make_toy_index
from toy_pictures import noise_picture, save_picture_model

from sae_desktop.errors import UserError
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.pictures.reading import read_picture
from sae_desktop.project import Project
from sae_desktop.steering.config import (
    PLAIN,
    Intervention,
    RandomDirection,
    Sampling,
    SteerConfig,
    SteerResult,
    Variant,
)
from sae_desktop.steering.export import export_steering
from sae_desktop.steering.export_config import ExportSteeringConfig
from sae_desktop.steering.job import steer
from sae_desktop.steering.kept_pictures import KeptPicture, fate, keep, restored
from sae_desktop.steering.presets import decode_preset, preset_of, read_preset, save_preset

Made = Callable[[str], tuple[Project, Path]]
_GREEDY = Sampling(max_new_tokens=6, repetition_penalty=1.2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A project with an index of a toy model of a family, and the model's folder."""
    known: dict[str, tuple[Project, Path]] = {}

    def of(kind: str) -> tuple[Project, Path]:
        if kind not in known:
            folder = tmp_path_factory.mktemp(kind)
            model = save_picture_model(folder / "model", kind)
            known[kind] = make_toy_index(folder, model, tokens=300, training=600), model
        return known[kind]

    return of


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """One with a half that is transparent, one that its camera held sideways."""
    folder = tmp_path_factory.mktemp("pictures")
    clear = np.array(noise_picture(61, 40, seed=1).convert("RGBA"))
    clear[:20, :, 3] = 0
    Image.fromarray(clear).save(folder / "clear.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    noise_picture(33, 90, seed=2).save(folder / "turned.png", exif=exif)
    return [str(folder / "clear.png"), str(folder / "turned.png")]


def steered(
    project: Project, pictures: list[str], variant: Variant, sampling: Sampling = _GREEDY
) -> SteerResult:
    config = SteerConfig(
        project=str(project.path), index="i", prompt="So here", variants=[PLAIN, variant],
        sampling=sampling, pictures=pictures, device="cpu",
    )  # fmt: skip
    return steer(config, RecordingContext())


# ---------------------------------------------------------------- the script
@pytest.mark.parametrize("kind", ["llava", "qwen2_vl", "qwen2_5_vl", "smolvlm", "gemma3"])
def test_script__reads_the_pictures_and_writes_the_windows_caption(
    made: Made, pictures: list[str], tmp_path: Path, kind: str
) -> None:
    project, model = made(kind)
    variant = Variant(
        name="steered",
        interventions=[
            Intervention(feature=3, direction=RandomDirection(seed=2), mode="add", strength=0.7,
                         unit="norm", where="pictures"),
            Intervention(direction=RandomDirection(seed=5), mode="add", strength=0.4, unit="norm",
                         where="words", start=2),
        ],
    )  # fmt: skip
    path = tmp_path / "steered.py"
    asked = ExportSteeringConfig(
        project=str(project.path), index="i", path=str(path), variant=variant, prompt="So here",
        sampling=_GREEDY, pictures=pictures, device="cpu",
    )  # fmt: skip
    export_steering(asked, RecordingContext())
    text = path.read_text(encoding="utf-8")
    assert "clear.png" in text
    assert str(Path(pictures[0]).parent) not in text
    done = subprocess.run(
        [sys.executable, "-I", str(path), str(model), *pictures], capture_output=True,
        env={"PATH": "", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    plain, found = steered(project, pictures, variant).variants
    assert found.text != plain.text
    written = done.stdout.decode().replace(os.linesep, "\n")
    assert written.strip().endswith(("So here" + found.text).strip())
    if kind == "llava":
        _without_its_picture(path, model, pictures, tmp_path)


def _without_its_picture(path: Path, model: Path, pictures: list[str], folder: Path) -> None:
    def run(*places: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-I", str(path), str(model), *places], capture_output=True,
            env={"PATH": "", "OMP_NUM_THREADS": "1"}, cwd=folder,
        )  # fmt: skip

    gone = run()
    assert gone.returncode != 0
    assert "“clear.png” cannot be read" in gone.stderr.decode()
    other = run(pictures[1], pictures[1])
    assert other.returncode == 0
    assert "is not the picture that was steered with" in other.stderr.decode()


def test_script_without_pictures__of_a_model_that_reads_them_runs_too(
    made: Made, tmp_path: Path
) -> None:
    project, model = made("llava")
    variant = Variant(name="steered", interventions=[Intervention(
        direction=RandomDirection(seed=5), mode="add", strength=0.7, unit="norm")])  # fmt: skip
    path = tmp_path / "steered.py"
    asked = ExportSteeringConfig(
        project=str(project.path), index="i", path=str(path), variant=variant, prompt="So here",
        sampling=_GREEDY, device="cpu",
    )  # fmt: skip
    export_steering(asked, RecordingContext())
    done = subprocess.run(
        [sys.executable, "-I", str(path), str(model)], capture_output=True, check=True,
        env={"PATH": "", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    written = done.stdout.decode().replace(os.linesep, "\n")
    found = steered(project, [], variant).variants[1]
    assert written.strip().endswith(("So here" + found.text).strip())


# ---------------------------------------------------------------- kept
def test_a_result__has_its_pictures_with_digest_and_thumbnail(
    made: Made, pictures: list[str]
) -> None:
    project, _ = made("llava")
    variant = Variant(name="x", interventions=[Intervention(
        direction=RandomDirection(seed=5), mode="add", strength=0.1, unit="norm")])  # fmt: skip
    kept = steered(project, pictures, variant).pictures
    assert [one.place for one in kept] == pictures
    assert [one.digest for one in kept] == [read_picture(Path(p)).digest for p in pictures]
    assert [read_picture(one.thumbnail).image.size for one in kept] == [(61, 40), (90, 33)]
    assert all(not one.whole for one in kept)
    assert steered(project, [], variant).pictures == []


def test_a_preset__keeps_its_pictures_by_place_and_digest_and_whole_where_asked(
    made: Made, pictures: list[str]
) -> None:
    project, _ = made("llava")
    info = read_info(project.index_path("i"))
    known = steered(project, pictures, PLAIN).pictures
    kept = keep(pictures, known, whole=pictures[:1])
    assert [one.thumbnail for one in kept] == [one.thumbnail for one in known]
    assert kept[0].whole == Path(pictures[0]).read_bytes()
    assert kept[1].whole == b""
    preset = preset_of("p", info, "So", [PLAIN], Sampling(), chat=False, pictures=kept)
    save_preset(project, preset, replace=True)
    assert read_preset(project, "p") == preset
    # One of before has none.
    old = msgspec.json.decode(msgspec.json.encode(preset))
    del old["pictures"]
    old["schema_version"] = 3
    assert decode_preset(msgspec.json.encode(old), "p").pictures == []


def test_what_became_of_a_picture__is_told_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    noise_picture(8, 8, seed=1).save(path)
    first = path.read_bytes()
    (light,), (whole,) = keep([str(path)], [], []), keep([str(path)], [], [str(path)])
    spare = tmp_path / "spare"
    spare.mkdir()
    assert fate(light) == "there"
    assert restored(whole, spare) == str(path)
    noise_picture(8, 8, seed=2).save(path)
    assert fate(light) == "changed"
    assert restored(light, spare) == str(path)
    assert Path(restored(whole, spare)).read_bytes() == first
    path.unlink()
    assert fate(light) == "gone"
    assert Path(restored(whole, spare)).read_bytes() == first
    with pytest.raises(UserError, match="There is no file"):
        keep([str(path)], [], [])


def test_a_preset_from_elsewhere__writes_its_pictures_nowhere_else(tmp_path: Path) -> None:
    spare = tmp_path / "spare"
    spare.mkdir()
    for place, digest in (("../../a.png", "../../../b"), ("/x/..", "/c"), ("a\0b", "d\0e")):
        kept = KeptPicture(place=place, digest=digest, whole=b"picture")
        file = Path(restored(kept, spare))
        assert file.parent == spare
        assert file.read_bytes() == b"picture"
        # What it holds is not what the preset says it is.
        assert fate(msgspec.structs.replace(kept, place=str(file))) == "changed"
