"""Models that read pictures are described and opened as any other; what cannot be is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from job_contexts import RecordingContext
from toy_pictures import noise_picture, save_picture_model

from sae_desktop.errors import UserError
from sae_desktop.language_model.config import DescribeModelConfig, ModelDescription
from sae_desktop.language_model.describe import describe_model
from sae_desktop.language_model.load import LanguageModel, load_any, load_model, load_reader
from sae_desktop.language_model.pictures.reader import open_pictures
from sae_desktop.language_model.sites.capture import capture
from sae_desktop.language_model.sites.resolve import Site


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("pictures")
    return {kind: save_picture_model(place / kind, kind) for kind in ("smolvlm", "clip")}


def described(folder: Path) -> ModelDescription:
    return describe_model(DescribeModelConfig(model=str(folder)), RecordingContext())


def test_an_image_text_model__is_described_with_its_sites_and_its_pictures(
    folders: dict[str, Path],
) -> None:
    found = described(folders["smolvlm"])

    assert (found.layers, found.width, found.causal, found.reads) == (3, 32, True, "both")
    assert "blocks.2.mlp.hook_post" in found.sites
    assert found.picture_note == (
        "A photograph of 1,600 × 1,200 pixels becomes 20 tokens in 5 tiles."
    )
    network = load_any(str(folders["smolvlm"])).model
    assert found.memory_bytes == 4 * sum(p.numel() for p in network.parameters())


def test_an_image_text_model__reads_text_as_any_language_model(folders: dict[str, Path]) -> None:
    lm = load_model(str(folders["smolvlm"]))
    ids = torch.tensor([[0, *lm.encode("a dog and a cat")]])
    with torch.no_grad():
        own = lm.model(ids, output_hidden_states=True).hidden_states[2]

    torch.testing.assert_close(capture(lm, ids, None, Site(1, "hook_resid_post")), own)


def test_of_two_encoders__the_one_of_pictures_is_opened(folders: dict[str, Path]) -> None:
    found = described(folders["clip"])
    network = load_any(str(folders["clip"]))

    assert (found.architecture, found.reads, found.vocabulary) == ("CLIPVisionModel", "pictures", 0)
    assert type(network.model).__name__ == "CLIPVisionModel"
    assert open_pictures(network).batch([[noise_picture(50, 30)]]).lengths == [17]
    assert network.mark.tokenizer == ""


@pytest.mark.parametrize("opener", [load_model, load_reader])
def test_an_encoder_of_pictures__is_refused_where_text_is_to_be_read(
    folders: dict[str, Path], opener: object
) -> None:
    assert callable(opener)
    with pytest.raises(UserError, match="reads pictures alone"):
        opener(str(folders["clip"]))


def test_a_processor_of_another_kind__leaves_the_model_its_text(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    for path in folders["smolvlm"].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    settings = tmp_path / "preprocessor_config.json"
    told = json.loads(settings.read_bytes()) | {"image_processor_type": "OwnImageProcessor"}
    settings.write_text(json.dumps(told))

    found = described(tmp_path)

    assert found.reads == "text"
    assert "“OwnImageProcessor”, which cannot be used here" in found.picture_note
    assert isinstance(load_model(str(tmp_path)), LanguageModel)


def test_a_model_without_settings_for_pictures__says_what_is_missing(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    for path in folders["clip"].iterdir():
        if "processor" not in path.name:
            (tmp_path / path.name).write_bytes(path.read_bytes())

    assert "it has no preprocessor_config.json" in described(tmp_path).picture_note
    with pytest.raises(UserError, match=r"it has no preprocessor_config\.json"):
        open_pictures(load_any(str(tmp_path)))
