"""Where a dictionary comes from is kept with it, and said wherever it is listed."""

from __future__ import annotations

import datetime
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from cli_process import sae_desktop
from job_contexts import RecordingContext

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.formats import sparsify
from sae_desktop.exchange.config import (
    ExportPackageConfig,
    ImportDictionaryConfig,
    ImportPackageConfig,
)
from sae_desktop.exchange.dictionaries import import_dictionary
from sae_desktop.exchange.package import export_package, import_package
from sae_desktop.exchange.run_page import write_run_page
from sae_desktop.gui.project.project_cards import cards
from sae_desktop.project import Project
from sae_desktop.training.origin import ORIGIN
from sae_desktop.training.origin_text import origin_text
from sae_desktop.training.run_folder import read_summary
from sae_desktop.words.inventory import take_inventory

D, F = 256, 40


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.open_or_create(tmp_path / "p.saeproj")


@pytest.fixture
def imported(project: Project, tmp_path: Path) -> Path:
    """The folder of a dictionary that was imported from a folder of sparsify's."""
    source = tmp_path / "theirs"
    (source / "layers.3").mkdir(parents=True)
    generator = torch.Generator().manual_seed(1)
    W_dec = torch.nn.functional.normalize(torch.randn(F, D, generator=generator))
    sparsify.write(Dictionary(W_dec.T.contiguous(), torch.zeros(F), W_dec, torch.zeros(D), k=5),
                   source / "layers.3")  # fmt: skip
    config = ImportDictionaryConfig(
        project=str(project.path), name="new", source=str(source), model="builtin"
    )
    import_dictionary(config, RecordingContext())
    return project.dictionary_path("new")


def figures(project: Project) -> dict[str, str]:
    (card,) = cards(take_inventory(project), datetime.datetime.now())["Dictionaries"]
    return dict(card.figures)


def listed(project: Path) -> dict[str, Any]:
    done = sae_desktop("dictionaries", "list", project, "--json")
    assert done.status == 0, done.stderr
    (found,) = done.result["dictionaries"]
    return dict(found)


def test_imported_dictionary__says_from_which_file_it_is(
    project: Project, imported: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "theirs" / "layers.3" / "sae.safetensors"
    found = listed(project.path)
    assert found["from"] == "imported from theirs/layers.3/sae.safetensors · sparsify"
    told = found["origin"]
    assert told["source"] == str(tmp_path / "theirs")
    assert told["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(told["when"])
    assert datetime.timedelta(0) <= age < datetime.timedelta(minutes=10)
    assert figures(project)["Imported from"] == "theirs/layers.3/sae.safetensors · sparsify"
    write_run_page(tmp_path / "page.html", imported)
    page = (tmp_path / "page.html").read_text()
    assert "imported from theirs/layers.3/sae.safetensors · sparsify" in page
    assert str(tmp_path) not in page


def test_dictionary_that_an_earlier_version_imported__says_its_source(
    project: Project, imported: Path, tmp_path: Path
) -> None:
    (imported / ORIGIN).unlink()
    assert figures(project)["Imported from"] == "theirs · sparsify"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"kind": "import", "source": 3}', b"\xff"])
def test_origin_that_is_damaged__hides_nothing_else(
    project: Project, imported: Path, content: bytes
) -> None:
    (imported / ORIGIN).write_bytes(content)
    assert figures(project)["Imported from"] == "theirs · sparsify"


def test_package__says_where_its_dictionary_came_from_before(
    project: Project, imported: Path, tmp_path: Path
) -> None:
    path = tmp_path / "new.saepack"
    export_package(
        ExportPackageConfig(project=str(project.path), dictionary="new", path=str(path)),
        RecordingContext(),
    )
    other = Project.open_or_create(tmp_path / "other.saeproj")
    import_package(ImportPackageConfig(project=str(other.path), file=str(path)), RecordingContext())
    said = "new.saepack, before that imported from theirs/layers.3/sae.safetensors · sparsify"
    assert figures(other)["From package"] == said
    folder = other.dictionary_path("new")
    told = json.loads((folder / ORIGIN).read_text())
    assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert str(tmp_path) not in (folder / ORIGIN).read_text()


def test_trained_dictionary__says_on_what(small_project: Path) -> None:
    found = listed(small_project)
    assert found["from"] == "trained on the store acts"
    assert found["origin"] is None
    folder = Project.open(small_project).dictionary_path("dict")
    assert origin_text(read_summary(folder)) == found["from"]
