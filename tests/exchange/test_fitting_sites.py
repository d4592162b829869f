"""The sites a foreign file names, fitted to the model at hand; and back for SAELens."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from job_contexts import RecordingContext
from safetensors.torch import save_file
from toy_models import save_toy_model

from sae_desktop.dictionary import Dictionary, load, save
from sae_desktop.dictionary.formats.saelens_overrides import corrections
from sae_desktop.errors import UserError
from sae_desktop.exchange import releases
from sae_desktop.exchange.config import ExportDictionaryConfig, ImportDictionaryConfig
from sae_desktop.exchange.dictionaries import export_dictionary, import_dictionary
from sae_desktop.exchange.gallery import catalogue
from sae_desktop.project import Project

D, F = 32, 40


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.open_or_create(tmp_path / "p.saeproj")


def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "W_enc": torch.randn(D, F, generator=generator),
        "b_enc": torch.zeros(F),
        "W_dec": torch.randn(F, D, generator=generator),
        "b_dec": torch.zeros(D),
    }


def centred(folder: Path) -> Path:
    folder.mkdir()
    cfg = {"d_in": D, "d_sae": F, "dtype": "float32", "hook_name": "blocks.1.hook_resid_pre",
           "model_from_pretrained_kwargs": {"center_writing_weights": True}}  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(cfg))
    save_file(tensors(), folder / "sae_weights.safetensors")
    return folder


def bring(project: Project, source: Path, model: str, **settings: Any) -> Any:
    config = ImportDictionaryConfig(
        project=str(project.path), name="new", source=str(source), model=model, **settings
    )
    return import_dictionary(config, RecordingContext())


def test_centred_weights__change_nothing_where_norms_keep_the_mean(
    project: Project, tmp_path: Path
) -> None:
    model = save_toy_model(tmp_path / "model", "llama")
    result = bring(project, centred(tmp_path / "sae"), str(model))
    assert result.site == "blocks.1.hook_resid_pre"
    assert any(
        "do not subtract the mean" in note or "the weights were left unchanged" in note
        for note in result.notes
    )


def test_centred_weights__of_a_model_that_is_not_here_are_told(
    project: Project, tmp_path: Path
) -> None:
    result = bring(project, centred(tmp_path / "sae"), "someone/elses-model")
    assert result.site == "blocks.1.hook_resid_pre.centred"
    assert any("“blocks.1.hook_resid_pre”" in note for note in result.notes)


def test_centred_site__goes_back_to_saelens_in_its_words(project: Project, tmp_path: Path) -> None:
    model = save_toy_model(tmp_path / "model", "gpt2")
    source = centred(tmp_path / "sae")
    bring(project, source, str(model))
    out = tmp_path / "out"
    export_dictionary(
        ExportDictionaryConfig(project=str(project.path), dictionary="new", path=str(out)),
        RecordingContext(),
    )
    metadata = json.loads((out / "cfg.json").read_text())["metadata"]
    assert metadata["hook_name"] == "blocks.1.hook_resid_pre"
    assert metadata["model_from_pretrained_kwargs"] == {"center_writing_weights": True}
    ours = load(project.dictionary_path("new"))
    assert ours.metadata["hook_name"] == "blocks.1.hook_resid_pre.centred"
    again = ImportDictionaryConfig(
        project=str(project.path), name="again", source=str(out), model=str(model)
    )
    assert import_dictionary(again, RecordingContext()).site == "blocks.1.hook_resid_pre.centred"


@pytest.mark.parametrize(("kind", "fits"), [("llama", True), ("gemma2", False)])
def test_module__whose_output_is_normed_before_it_is_added_is_no_site(
    project: Project, tmp_path: Path, kind: str, fits: bool
) -> None:
    model = save_toy_model(tmp_path / "model", kind)
    folder = tmp_path / "layers.1.mlp"
    folder.mkdir()
    own = tensors()
    save_file(
        {"encoder.weight": own["W_enc"].T.contiguous(), "encoder.bias": own["b_enc"],
         "W_dec": own["W_dec"], "b_dec": own["b_dec"]},
        folder / "sae.safetensors",
    )  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps({"k": 3, "d_in": D}))
    if fits:
        assert bring(project, folder, str(model)).site == "blocks.1.hook_mlp_out"
        return
    with pytest.raises(
        UserError, match=r"“layers\.1\.mlp”.* applies a norm to that output before adding it"
    ):
        bring(project, folder, str(model))
    assert project.dictionaries() == []


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            {"source_format": "Gemma Scope", "hook_name": "blocks.3.mlp.hook_in"},
            "reads “blocks.3.ln2.hook_normalized”, not “blocks.3.mlp.hook_in”",
        ),
        (
            {"source_format": "SAELens", "hook_name": "blocks.1.hook_resid_pre",
             "source": "jbloom/GPT2-Small-SAEs-Reformatted/blocks.1.hook_resid_pre"},
            "reads “blocks.1.hook_resid_pre.centred”",
        ),
        (
            {"source_format": "SAELens", "hook_name": "blocks.8.hook_resid_pre",
             "source": "JoshEngels/Mistral-7B-Residual-Stream-SAEs/mistral_7b_layer_8"},
            "normalises each row by “constant_norm_rescale”",
        ),
    ],
)  # fmt: skip
def test_dictionary__that_an_earlier_version_read_wrongly_is_to_be_imported_again(
    tmp_path: Path, told: dict[str, str], said: str
) -> None:
    own = tensors()
    dictionary = Dictionary(own["W_enc"], own["b_enc"], own["W_dec"], own["b_dec"])
    dictionary.metadata = told
    save(dictionary, tmp_path / "old")
    with pytest.raises(UserError) as error:
        load(tmp_path / "old")
    assert said in error.value.what
    dictionary.metadata = {"source_format": "SAELens", "hook_name": "blocks.1.hook_resid_pre"}
    save(dictionary, tmp_path / "other")
    assert load(tmp_path / "other").features == F


def test_gallery__names_the_sites_that_the_libraries_read() -> None:
    families = {family.repository: family for family in catalogue()}
    transcoders = families["google/gemma-scope-2b-pt-transcoders"]
    assert transcoders.site(3) == "blocks.3.ln2.hook_normalized"
    for repository, family in families.items():
        processed = corrections(repository).get("model_from_pretrained_kwargs", {})
        assert family.hook.endswith(".centred") == bool(processed.get("center_writing_weights"))
    assert families["jbloom/GPT2-Small-SAEs-Reformatted"].hook == "hook_resid_pre.centred"


def test_guard_of_pickles__stays_while_any_import_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    monkeypatch.delenv(name, raising=False)
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with releases._tensors_only():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(10)
    with releases._tensors_only():
        leave.set()
        thread.join(10)
        assert os.environ.get(name) == "1", "the first to end lifted it for the second"
    assert name not in os.environ
