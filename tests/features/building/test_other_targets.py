"""What is no dictionary of one site is refused by name where one is needed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from job_contexts import RecordingContext
from toy_index import make_toy_index

from sae_desktop.dictionary import Dictionary, load, save
from sae_desktop.errors import UserError
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.project import Project
from sae_desktop.steering.config import SteerConfig, clamped
from sae_desktop.steering.job import steer


@pytest.fixture
def project(tmp_path: Path, toy_model_folder: Path) -> Project:
    return make_toy_index(tmp_path, toy_model_folder)


def test_index__refuses_a_crosscoder(project: Project) -> None:
    plain = load(project.dictionary_path("d"))
    site = plain.metadata["hook_name"]
    both = Dictionary(
        torch.cat([plain.W_enc, plain.W_enc]),
        plain.b_enc,
        torch.cat([plain.W_dec, plain.W_dec], dim=1),
        torch.cat([plain.b_dec, plain.b_dec]),
        parts=(plain.width, plain.width),
        metadata=plain.metadata | {"input_sites": [site, site], "output_sites": [site, site]},
    )
    save(both, project.dictionary_path("cross"))
    config = IndexConfig(project=str(project.path), dictionary="cross", name="x")
    with pytest.raises(UserError, match="“cross” reads 2 sites") as caught:
        build_index(config, RecordingContext())
    assert caught.value.next_step
    assert project.indexes() == ["i"]


def test_steering__refuses_a_transcoder_that_names_no_site_of_the_model(project: Project) -> None:
    folder = project.dictionary_path("d")
    transcoder = load(folder)
    transcoder.metadata["hook_name_out"] = "blocks.7.hook_mlp_out"
    save(transcoder, folder)
    config = SteerConfig(
        project=str(project.path),
        index="i",
        prompt="In the",
        variants=[clamped({0: 1.0})],
    )
    with pytest.raises(UserError, match=r"no site “blocks\.7\.hook_mlp_out”"):
        steer(config, RecordingContext())
