"""Program code that a model brings is run only once it was agreed to, as it was then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from job_contexts import RecordingContext
from toy_models import save_toy_model

from sae_desktop.errors import UserError
from sae_desktop.language_model.config import DescribeModelConfig, TrustModelConfig
from sae_desktop.language_model.describe import describe_model
from sae_desktop.language_model.files.code import code_of
from sae_desktop.language_model.files.trust import is_trusted, record_path, trust_model
from sae_desktop.language_model.load import load_model

CONFIGURATION = """
from pathlib import Path
from transformers import LlamaConfig
from .helper import MARK

Path(MARK).touch()

class OwnConfig(LlamaConfig):
    model_type = "own_toy"
"""
MODEL = """
from transformers import LlamaForCausalLM
from .configuration_own import OwnConfig

class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig
"""


@pytest.fixture(autouse=True)
def _own_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "the-code-ran"


@pytest.fixture
def model(tmp_path: Path, marker: Path) -> Path:
    """A toy model that cannot be opened without its own code, which leaves a mark when run."""
    folder = save_toy_model(tmp_path / "own-toy")
    change(
        folder / "config.json",
        model_type="own_toy",
        architectures=["OwnForCausalLM"],
        auto_map={
            "AutoConfig": "configuration_own.OwnConfig",
            "AutoModelForCausalLM": "modeling_own.OwnForCausalLM",
        },
    )
    (folder / "helper.py").write_text(f"MARK = {str(marker)!r}\n")
    (folder / "configuration_own.py").write_text(CONFIGURATION)
    (folder / "modeling_own.py").write_text(MODEL)
    return folder


def change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def describe(model: Path) -> Any:
    return describe_model(DescribeModelConfig(model=str(model)), RecordingContext())


def trust(model: Path, digest: str) -> Any:
    return trust_model(TrustModelConfig(model=str(model), digest=digest), RecordingContext())


def refused(model: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        load_model(str(model))
    assert caught.value.next_step
    return caught.value


def test_code__is_not_run_before_it_is_trusted(model: Path, marker: Path) -> None:
    said = describe(model)
    assert said.code_files == ["configuration_own.py", "helper.py", "modeling_own.py"]
    assert (said.code_trusted, said.architecture) == (False, "OwnForCausalLM")
    assert (said.layers, said.width, said.vocabulary, said.context_size) == (4, 32, 320, 64)
    assert said.sites == []
    assert said.cached
    error = refused(model)
    for words in ("all your permissions", "send them", "modeling_own.py", str(model)):
        assert words in error.what
    assert "sae-desktop models trust" in error.next_step
    assert not marker.exists()


def test_trusted_code__opens_the_model(model: Path, marker: Path) -> None:
    before = describe(model)
    result = trust(model, before.code_digest)
    assert result.code_files == before.code_files
    assert not marker.exists()  # to trust is not to run
    lm = load_model(str(model))
    assert marker.exists()
    assert (type(lm.model).__name__, lm.layers, lm.causal) == ("OwnForCausalLM", 4, True)
    with torch.no_grad():
        assert lm.model(torch.tensor([[0, 5, 9]])).logits.shape == (1, 3, 320)
    said = describe(model)
    assert said.code_trusted
    assert said.parameters == sum(p.numel() for p in lm.model.parameters())
    assert said.default_site == "blocks.2.hook_resid_post"


def test_changed_code__is_asked_about_anew(model: Path, marker: Path) -> None:
    digest = describe(model).code_digest
    trust(model, digest)
    first = load_model(str(model))
    marker.unlink()
    helper = model / "helper.py"
    helper.write_text(helper.read_text() + "#")
    assert "not run without your consent" in refused(model).what
    assert not describe(model).code_trusted
    with pytest.raises(UserError, match="has changed"):
        trust(model, digest)
    assert not marker.exists()
    trust(model, describe(model).code_digest)
    assert load_model(str(model)).revision != first.revision
    assert marker.exists()


def test_digest__covers_every_file_its_name_and_its_content(model: Path) -> None:
    digests = {code_of(model).digest}
    (model / "below").mkdir()
    for path, content in (
        (model / "below" / "more.py", ""),
        (model / "below" / "more.py", "x = 1"),
        (model / "empty.py", ""),
    ):
        path.write_text(content)
        digests.add(code_of(model).digest)
    (model / "empty.py").rename(model / "renamed.py")
    digests.add(code_of(model).digest)
    assert len(digests) == 5
    (model / "notes.txt").write_text("no code")
    assert code_of(model).digest in digests


@pytest.mark.parametrize(
    "reference",
    ["elsewhere/repo--modeling_own.OwnForCausalLM", "../modeling_own.Own", "missing_file.Own"],
)
def test_code_from_elsewhere__is_never_run(model: Path, reference: str, marker: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    change(model / "config.json", auto_map=config["auto_map"] | {"AutoModelForCausalLM": reference})
    error = refused(model)
    assert reference in error.what
    assert "never run" in error.what
    with pytest.raises(UserError, match="never run"):
        trust(model, code_of(model).digest)
    assert not marker.exists()


def test_code_from_elsewhere__is_not_hidden_behind_the_tokenizers(model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    elsewhere = "elsewhere/repo--own.Own"
    change(model / "config.json", auto_map=config["auto_map"] | {"AutoConfig": elsewhere})
    change(
        model / "tokenizer_config.json",
        auto_map={"AutoConfig": "configuration_own.OwnConfig", "AutoTokenizer": [None, None]},
    )
    assert elsewhere in refused(model).what
    change(model / "config.json", auto_map=config["auto_map"])
    change(model / "tokenizer_config.json", auto_map={"AutoTokenizer": [elsewhere, "helper.T"]})
    assert elsewhere in refused(model).what


def test_code__is_looked_for_in_the_models_folder_alone(model: Path) -> None:
    change(model / "config.json", _name_or_path="elsewhere/repo", name_or_path="elsewhere/repo")
    trust(model, code_of(model).digest)
    assert load_model(str(model)).model.config.name_or_path == str(model)


def test_tokenizer_code__needs_trust_too(model: Path, marker: Path) -> None:
    folder = save_toy_model(model.parent / "own-tokenizer")
    change(
        folder / "tokenizer_config.json",
        tokenizer_class="OwnTokenizer",
        auto_map={"AutoTokenizer": ["tok.OwnTokenizer", None]},
    )
    change(folder / "config.json", model_type="own_toy", auto_map={"AutoConfig": "tok.C"})
    (folder / "tok.py").write_text(f"from pathlib import Path\nPath({str(marker)!r}).touch()\n")
    assert code_of(folder).needed
    assert "not run without your consent" in refused(folder).what
    assert not marker.exists()


def test_architecture_that_transformers_knows__needs_no_code(model: Path, marker: Path) -> None:
    change(model / "config.json", model_type="llama", architectures=["LlamaForCausalLM"])
    assert describe(model).code_files == []
    assert type(load_model(str(model)).model).__module__.startswith("transformers.")
    with pytest.raises(UserError, match="needs no program code"):
        trust(model, "0" * 64)
    assert not marker.exists()


def test_known_type_with_an_unknown_class__needs_its_code(model: Path) -> None:
    change(model / "config.json", model_type="bert")  # as models that changed BERT's insides do
    assert "not run without your consent" in refused(model).what


def test_attention_kernel_of_the_hub__is_refused(tmp_path: Path) -> None:
    folder = save_toy_model(tmp_path / "kernel")
    change(folder / "config.json", attn_implementation="someone/kernel")
    assert "attention kernel “someone/kernel”" in refused(folder).what


def test_damaged_record__trusts_nothing(model: Path) -> None:
    trust(model, code_of(model).digest)
    assert is_trusted(code_of(model))
    record_path().write_text("{")
    assert not is_trusted(code_of(model))
    assert "not run without your consent" in refused(model).what
    trust(model, code_of(model).digest)
    assert is_trusted(code_of(model))


def test_trust__is_kept_for_several_models(model: Path) -> None:
    first = code_of(model)
    trust(model, first.digest)
    (model / "helper.py").write_text("MARK = 'other'")
    second = code_of(model)
    trust(model, second.digest)
    assert is_trusted(first)
    assert is_trusted(second)
    assert len(json.loads(record_path().read_text())["trusted"]) == 2
