"""What names no site of the model is refused where one is needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from job_contexts import RecordingContext
from toy_index import make_toy_index

from sae_desktop.dictionary import load, save
from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.steering.config import SteerConfig, clamped
from sae_desktop.steering.job import steer


@pytest.fixture
def project(tmp_path: Path, toy_model_folder: Path) -> Project:
    return make_toy_index(tmp_path, toy_model_folder)


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
