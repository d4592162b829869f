"""Dictionaries come into a project from folders, files and archives, and what is wrong is said."""

from __future__ import annotations

import hashlib
import json
import pickle
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from job_contexts import RecordingContext
from safetensors.torch import save_file

from sae_desktop.dictionary import Dictionary, load, save
from sae_desktop.dictionary.formats import sparsify
from sae_desktop.errors import UserError
from sae_desktop.exchange.config import (
    ExportDictionaryConfig,
    FindDictionariesConfig,
    ImportDictionaryConfig,
)
from sae_desktop.exchange.dictionaries import (
    export_dictionary,
    find_dictionaries,
    import_dictionary,
)
from sae_desktop.project import Project

D, F = 256, 40
SITE = "blocks.3.hook_resid_post"


def topk() -> Dictionary:
    generator = torch.Generator().manual_seed(1)
    return Dictionary(
        torch.randn(D, F, generator=generator), torch.randn(F, generator=generator),
        torch.nn.functional.normalize(torch.randn(F, D, generator=generator)),
        torch.randn(D, generator=generator), k=5, metadata={"model_name": "builtin"},
    )  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.open_or_create(tmp_path / "p.saeproj")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of sparsify's, of one hook point."""
    folder = tmp_path / "theirs" / "layers.3"
    folder.mkdir(parents=True)
    sparsify.write(topk(), folder)
    return folder.parent


def bring(project: Project, source: Path, **settings: Any) -> Any:
    config = ImportDictionaryConfig(
        project=str(project.path), name="new", source=str(source), **settings
    )
    return import_dictionary(config, RecordingContext())


def test_import__keeps_what_the_files_say_and_what_is_given(project: Project, source: Path) -> None:
    result = bring(project, source, model="builtin")
    assert (result.format, result.architecture, result.features) == ("sparsify", "topk", F)
    assert (result.model, result.site) == ("builtin", SITE)
    ours = load(project.dictionary_path("new"))
    x = torch.randn(50, D)
    torch.testing.assert_close(ours.encode(x), topk().encode(x), rtol=1e-4, atol=1e-4)
    assert ours.metadata["hook_name"] == SITE
    assert ours.metadata["source_format"] == "sparsify"
    assert project.dictionaries() == ["new"]
    with pytest.raises(UserError, match="already a dictionary “new”"):
        bring(project, source, model="builtin")


def test_import__from_a_zip_and_from_one_file(
    project: Project, source: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "theirs.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in source.rglob("*"):
            archive.write(path, path.relative_to(source))
    found = find_dictionaries(FindDictionariesConfig(source=str(packed)), RecordingContext())
    assert [one.path for one in found.dictionaries] == ["layers.3/sae.safetensors"]
    assert bring(project, packed, model="builtin").site == SITE
    whole = source / "layers.3" / "sae.safetensors"
    config = ImportDictionaryConfig(
        project=str(project.path), name="other", source=str(whole), model="builtin"
    )
    assert import_dictionary(config, RecordingContext()).site == SITE


def test_import__asks_for_what_is_missing_and_which_is_meant(
    project: Project, source: Path
) -> None:
    with pytest.raises(UserError, match="do not name its model") as raised:
        bring(project, source)
    assert "Give the model" in str(raised.value.next_step)
    second = source / "layers.2"
    second.mkdir()
    sparsify.write(topk(), second)
    with pytest.raises(UserError, match="holds 2 dictionaries"):
        bring(project, source, model="builtin")
    with pytest.raises(UserError, match="not one of the dictionaries"):
        bring(project, source, model="builtin", which="layers.7")
    result = bring(project, source, model="builtin", which="layers.2/sae.safetensors")
    assert result.site == "blocks.2.hook_resid_post"


def test_import__refuses_a_model_it_does_not_fit(project: Project, source: Path) -> None:
    with pytest.raises(UserError, match=r"reads rows of 256 numbers; .* has"):
        bring(project, source, model="builtin", site="blocks.3.mlp.hook_post")
    with pytest.raises(UserError, match="99"):
        bring(project, source, model="builtin", site="blocks.99.hook_resid_post")
    with pytest.raises(UserError, match="is not a site"):
        bring(project, source, model="builtin", site="somewhere")
    assert project.dictionaries() == []
    # A model that is not here cannot be looked at.
    assert bring(project, source, model="someone/elses-model").model == "someone/elses-model"


def test_import__tells_how_windows_began_and_keeps_it(project: Project, tmp_path: Path) -> None:
    own = topk()
    own.metadata |= {"hook_name": SITE, "prepend_bos": False}
    save(own, tmp_path / "theirs")
    result = bring(project, tmp_path / "theirs")
    assert result.notes == ["Windows began without BOS during training."]
    assert load(project.dictionary_path("new")).metadata["prepend_bos"] is False


def test_import__takes_only_the_file_that_was_meant(project: Project, source: Path) -> None:
    whole = source / "layers.3" / "sae.safetensors"
    meant = hashlib.sha256(whole.read_bytes()).hexdigest()
    other = meant[:-1] + ("0" if meant[-1] != "0" else "1")
    with pytest.raises(UserError) as error:
        bring(project, source, model="builtin", sha256=other)
    assert f"its SHA-256 is {meant}, not {other}" in error.value.what
    assert "sae.safetensors" in error.value.what
    assert project.dictionaries() == []
    assert bring(project, source, model="builtin", sha256=meant.upper()).features == F


def test_import__folds_a_scalar_that_is_given(project: Project, source: Path) -> None:
    bring(project, source, model="builtin", scale=0.25)
    ours = load(project.dictionary_path("new"))
    x = torch.randn(50, D)
    own = topk()
    torch.testing.assert_close(ours.encode(x), own.encode(x * 0.25) / 0.25, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.apply(x), own.apply(x * 0.25) / 0.25, rtol=1e-4, atol=1e-3)
    for scale in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UserError, match="cannot have been multiplied"):
            bring(project, source, model="builtin", scale=scale)


def test_import__refuses_values_that_are_no_numbers(project: Project, tmp_path: Path) -> None:
    own = topk()
    own.W_enc[3, 4] = float("nan")
    save(own, tmp_path / "bad")
    with pytest.raises(UserError, match=r"W_enc .* not finite numbers"):
        bring(project, tmp_path / "bad", site=SITE)
    assert project.dictionaries() == []


@pytest.mark.parametrize("form", ["saelens", "sparsify", "dictionary_learning"])
def test_export__writes_what_comes_back_the_same(
    project: Project, source: Path, tmp_path: Path, form: Any
) -> None:
    bring(project, source, model="builtin")
    out = tmp_path / "out"
    config = ExportDictionaryConfig(
        project=str(project.path), dictionary="new", path=str(out), format=form
    )
    result = export_dictionary(config, RecordingContext())
    assert (result.files, result.bytes > D * F * 8) == (2, True)
    again = ImportDictionaryConfig(
        project=str(project.path), name=form, source=str(out), model="builtin", site=SITE
    )
    import_dictionary(again, RecordingContext())
    x = torch.randn(50, D)
    one, other = (load(project.dictionary_path(name)) for name in ("new", form))
    torch.testing.assert_close(one.encode(x), other.encode(x), rtol=1e-4, atol=1e-4)
    with pytest.raises(UserError, match="already exists and is not empty"):
        export_dictionary(config, RecordingContext())


def test_export__says_what_a_library_has_no_architecture_for(
    project: Project, tmp_path: Path
) -> None:
    own = topk()
    own.k = None
    save(own, project.dictionary_path("new"))
    config = ExportDictionaryConfig(
        project=str(project.path), dictionary="new", path=str(tmp_path / "out"), format="sparsify"
    )
    with pytest.raises(UserError, match="only TopK dictionaries"):
        export_dictionary(config, RecordingContext())
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------- archives that mean harm
def _zip(path: Path, *entries: tuple[str, bytes], mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return path


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("../out.txt", 0), ("a/../../out.txt", 0), ("/tmp/out.txt", 0), ("..\\out.txt", 0),
        ("C:/out.txt", 0), ("link", stat.S_IFLNK | 0o777),
    ],
)  # fmt: skip
def test_zip__that_leads_out_of_its_folder_is_refused(
    project: Project, tmp_path: Path, name: str, mode: int
) -> None:
    before = sorted(tmp_path.rglob("*"))
    packed = _zip(tmp_path / "evil.zip", (name, b"x"), mode=mode)
    with pytest.raises(UserError, match="so it was refused"):
        bring(project, packed, model="builtin")
    assert sorted(tmp_path.rglob("*")) == sorted([*before, packed])


def test_zip__that_unpacks_to_far_more_than_it_is_is_refused(
    project: Project, tmp_path: Path
) -> None:
    packed = _zip(tmp_path / "bomb.zip", ("sae.safetensors", bytes(200_000_000)))
    assert packed.stat().st_size < 1_000_000
    with pytest.raises(UserError, match="would unpack to 200,000,000"):
        bring(project, packed, model="builtin")


def test_pickle__that_runs_code_is_refused_and_does_not_run(
    project: Project, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (marker,))

    for name, write in (
        ("old.pt", lambda path: path.write_bytes(pickle.dumps({"W_dec": Evil()}))),
        ("new.pt", lambda path: torch.save({"W_dec": Evil()}, path)),
    ):
        folder = tmp_path / name.removesuffix(".pt")
        folder.mkdir()
        write(folder / name)
        with pytest.raises(UserError, match=r"could run code|damaged"):
            bring(project, folder, model="builtin")
    assert not marker.exists()


def test_safetensors__with_a_header_of_ten_gigabytes_is_refused(
    project: Project, tmp_path: Path
) -> None:
    folder = tmp_path / "huge"
    folder.mkdir()
    (folder / "sae.safetensors").write_bytes((10 * 2**30).to_bytes(8, "little") + b"{}")
    with pytest.raises(UserError, match="claims 10,737,418,240 of"):
        bring(project, folder, model="builtin")
    save_file({"a": torch.zeros(2)}, folder / "sae.safetensors")
    (folder / "cfg.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="cannot be read"):
        bring(project, folder, model="builtin")
    (folder / "cfg.json").write_text(json.dumps([1]))
    with pytest.raises(UserError, match=", not settings"):
        bring(project, folder, model="builtin")
