"""An index with pictures given to others: in a package, on a page, in a form that knows none."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import picture_stores
import pytest
from job_contexts import RecordingContext
from lit_index import CAT, lit_index, lit_project
from PIL import Image

from sae_desktop.activations.picture_layout import PictureRecord
from sae_desktop.exchange.config import (
    ExportFeaturesConfig,
    ExportPackageConfig,
    ImportPackageConfig,
)
from sae_desktop.exchange.features import export_features
from sae_desktop.exchange.package import export_package, import_package
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project

SECRET = "/home/somebody/private"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    def elsewhere(**told: Any) -> PictureRecord:
        return PictureRecord(**{**told, "source": f"{SECRET}/animals"})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picture_stores, "PictureRecord", elsewhere)
        return lit_project(tmp_path_factory.mktemp("lit") / "p")


def test_package__takes_pictures_along_without_their_places(
    project: Project, tmp_path: Path
) -> None:
    file, context = tmp_path / "d.saepack", RecordingContext()
    export_package(
        ExportPackageConfig(
            project=str(project.path), dictionary="d", index="i", path=str(file)
        ),
        context,
    )  # fmt: skip
    assert any("small copies of the 2 pictures" in line for line in context.lines)
    other = Project.open_or_create(tmp_path / "other")
    found = import_package(
        ImportPackageConfig(project=str(other.path), file=str(file)), SilentContext()
    )
    path = other.index_path(found.index)
    assert SECRET.encode() not in path.read_bytes()
    own, given = lit_index(project), type(lit_index(project))(path)
    for one, two in zip(own.contexts(0), given.contexts(0), strict=True):
        assert one.picture is not None
        assert two.picture is not None
        assert one.picture.activations.tolist() == two.picture.activations.tolist()
        assert one.picture.thumbnail == two.picture.thumbnail
        assert (one.picture.place, two.picture.place) == (f"{SECRET}/animals", "animals")


def test_page__draws_pictures_lit_where_it_was_planted(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "r.html"
    _export(project, "html", file)
    page = file.read_text()
    assert SECRET not in page
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])  # type: ignore[index]
    first = data["features"][0]["contexts"][0]["picture"]
    assert first["name"] == CAT.name
    assert first["told"] == "patch row 2, column 3: activation 8.0"
    drawn = Image.open(io.BytesIO(base64.b64decode(first["address"].partition(",")[2])))
    red, _, blue = drawn.getpixel((drawn.width // 2, drawn.height * 3 // 8))  # type: ignore[misc]
    assert red - blue > 90  # the planted patch of a blue cat
    red, _, blue = drawn.getpixel((drawn.width // 10, drawn.height * 7 // 8))  # type: ignore[misc]
    assert blue > red


def test_form_without_pictures__has_a_token_with_the_name_and_says_so(
    project: Project, tmp_path: Path
) -> None:
    told = _export(project, "neuronpedia", tmp_path / "n")
    assert any("no place for pictures" in line for line in told)
    with gzip.open(next((tmp_path / "n").rglob("activations/batch-0.jsonl.gz"))) as file:
        rows = [json.loads(line) for line in file]
    first = next(row for row in rows if row["index"] == "0")
    assert first["tokens"] == ["⟨picture cat.png⟩"]
    assert first["values"] == [8.0]


def _export(project: Project, form: str, path: Path) -> list[str]:
    context = RecordingContext()
    config = ExportFeaturesConfig(
        project=str(project.path),
        index="i",
        path=str(path),
        format=form,  # type: ignore[arg-type]
    )
    export_features(config, context)
    return context.lines
