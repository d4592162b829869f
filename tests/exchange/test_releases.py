"""Releases of SAELens's directory, brought through it from a hub on this machine."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from fake_hub import FakeHub, fake_hub
from job_contexts import RecordingContext

from sae_desktop.dictionary import load
from sae_desktop.errors import UserError
from sae_desktop.exchange import releases
from sae_desktop.exchange.config import FindDictionariesConfig, ImportDictionaryConfig
from sae_desktop.exchange.dictionaries import find_dictionaries, import_dictionary
from sae_desktop.project import Project
from sae_desktop.storage import own_settings

RELEASE = "gpt2-small-hook-z-kk"
SOURCE = f"saelens:{RELEASE}/blocks.0.hook_z"
REPOSITORY = "ckkissane/attn-saes-gpt2-small-all-layers"
WIDTH, FEATURES = 12, 20


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with fake_hub(tmp_path / "hub", monkeypatch) as running:
        yield running


@pytest.fixture
def published(hub: FakeHub, tmp_path: Path) -> dict[str, torch.Tensor]:
    """A repository of a format that only SAELens knows."""
    pytest.importorskip("sae_lens", reason="a library that .ci/run installs")
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    generator = torch.Generator().manual_seed(2)
    tensors = {
        "W_enc": torch.randn(WIDTH, FEATURES, generator=generator),
        "b_enc": torch.randn(FEATURES, generator=generator),
        "W_dec": torch.randn(FEATURES, WIDTH, generator=generator),
        "b_dec": torch.randn(WIDTH, generator=generator),
    }
    name = get_pretrained_saes_directory()[RELEASE].saes_map["blocks.0.hook_z"]
    folder = tmp_path / "repository"
    folder.mkdir()
    torch.save(tensors, folder / name)
    told = {"act_size": WIDTH, "dict_size": FEATURES, "act_name": "blocks.0.attn.hook_z"}
    (folder / name.replace(".pt", "_cfg.json")).write_text(json.dumps(told))
    hub.repos[REPOSITORY] = folder
    return tensors


def test_release__is_found_and_imported(
    published: dict[str, torch.Tensor], project: Project
) -> None:
    context = RecordingContext()
    (found,) = find_dictionaries(FindDictionariesConfig(source=SOURCE), context).dictionaries
    assert (found.width, found.features) == (WIDTH, FEATURES)
    assert (found.model, found.site) == ("openai-community/gpt2", "blocks.0.attn.hook_z")
    import_dictionary(
        ImportDictionaryConfig(project=str(project.path), name="theirs", source=SOURCE), context
    )
    ours = load(project.dictionary_path("theirs"))
    x = torch.randn(50, WIDTH, generator=torch.Generator().manual_seed(3))
    W_dec, b_dec = published["W_dec"], published["b_dec"]
    acts = ((x - b_dec) @ published["W_enc"] + published["b_enc"]).relu()
    torch.testing.assert_close(ours.encode(x), acts * W_dec.norm(dim=1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.apply(x), acts @ W_dec + b_dec, rtol=1e-4, atol=1e-4)


def test_release__of_a_wrong_name_names_those_there_are(hub: FakeHub) -> None:
    pytest.importorskip("sae_lens", reason="a library that .ci/run installs")
    for source, near in (
        ("saelens:gpt2-small-hook-z-k/blocks.0.hook_z", RELEASE),
        (f"saelens:{RELEASE}/blocks.99.hook_z", "blocks.9.hook_z"),
        (f"saelens:{RELEASE}", "blocks."),
    ):
        with pytest.raises(UserError) as error:
            find_dictionaries(FindDictionariesConfig(source=source), RecordingContext())
        assert near in error.value.next_step
    assert hub.fetched == []


class _Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[Path, str]]:
        return Path.write_text, (self.target, "run")


def test_release__with_a_pickle_that_runs_code_runs_nothing(
    published: dict[str, torch.Tensor], hub: FakeHub, tmp_path: Path
) -> None:
    target = tmp_path / "ran"
    for path in hub.repos[REPOSITORY].glob("*.pt"):
        path.write_bytes(pickle.dumps(_Malicious(target), protocol=2))
    with pytest.raises(UserError, match="could run code"):
        find_dictionaries(FindDictionariesConfig(source=SOURCE), RecordingContext())
    assert not target.exists()


def test_release__offline_or_without_saelens_says_what_is_missing(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "find_spec", lambda _: None)
    with pytest.raises(UserError) as error:
        find_dictionaries(FindDictionariesConfig(source=SOURCE), RecordingContext())
    assert "SAELens is not installed" in error.value.what
    assert releases.INSTALL in error.value.next_step
    monkeypatch.undo()
    pytest.importorskip("sae_lens", reason="a library that .ci/run installs")
    with pytest.raises(UserError, match=r"not on this machine|interrupted|no model"):
        find_dictionaries(FindDictionariesConfig(source=SOURCE), RecordingContext())


def test_release__is_not_asked_for_where_the_network_is_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text('{"network_off": true}')
    monkeypatch.setattr(own_settings, "settings_path", lambda: settings)
    monkeypatch.setattr(releases, "find_spec", lambda _: object())
    monkeypatch.setitem(sys.modules, "sae_lens", None)  # to import it would be an error
    with pytest.raises(UserError, match="the network is off in the settings") as error:
        find_dictionaries(FindDictionariesConfig(source=SOURCE), RecordingContext())
    assert "Engine › Network" in error.value.next_step
