"""A model that the engine runs itself answers as a server’s does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sae_desktop.labels.chat import Ask, ChatError, Message
from sae_desktop.labels.models.choice import ModelChoice
from sae_desktop.labels.models.local import LocalModel, PromptReader
from sae_desktop.labels.models.open import open_chat_model
from sae_desktop.language_model.load import LanguageModel, load_model

ASK = Ask((Message("user", "Abc"),), most_tokens=8)


@pytest.fixture(scope="module")
def lm(toy_model_folder: Path) -> LanguageModel:
    torch.set_num_threads(1)
    return load_model(str(toy_model_folder), "cpu")


def _ask(lm: LanguageModel, ask: Ask = ASK, seconds: float = 60.0):
    return LocalModel(lm, seconds).ask(ask)


def test_answer__is_the_likeliest_text_with_its_log_probabilities(lm: LanguageModel) -> None:
    found = _ask(lm, Ask(ASK.messages, most_tokens=4, logprobs=3))
    assert found.finish in ("stop", "length")
    assert 0 < found.answer_tokens <= 4
    assert found.prompt_tokens == LocalModel(lm, 1.0).prompt_tokens(ASK)
    assert found.logprobs is not None
    assert len(found.logprobs) == found.answer_tokens
    for token in found.logprobs:
        values = [value for _, value in token.alternatives]
        assert values == sorted(values, reverse=True)
        assert len(values) == 3
        assert token.logprob == values[0]  # at temperature 0
    ids = PromptReader(lm).ids(ASK)
    with torch.no_grad():
        logits_V = lm.model(torch.tensor([ids])).logits[0, -1].float()
    assert found.logprobs[0].logprob == pytest.approx(float(logits_V.log_softmax(-1).max()), 1e-4)


def test_sampling__repeats_with_its_seed_alone(lm: LanguageModel) -> None:
    asks = [Ask(ASK.messages, most_tokens=8, temperature=5.0, seed=seed) for seed in (1, 1, 2)]
    first, again, other = (_ask(lm, ask).text for ask in asks)
    assert first == again
    assert first != other


def test_prompt__that_does_not_fit_is_refused(lm: LanguageModel) -> None:
    with pytest.raises(ChatError, match="do not fit") as caught:
        _ask(lm, Ask((Message("user", "a" * 80),)))
    assert caught.value.kind == "too_long"


def test_answer__that_takes_too_long_is_ended(lm: LanguageModel) -> None:
    with pytest.raises(ChatError) as caught:
        _ask(lm, seconds=-1.0)
    assert caught.value.kind == "timeout"


def test_model__that_is_closed_answers_no_more(lm: LanguageModel) -> None:
    model = LocalModel(lm, 60.0)
    model.close()
    with pytest.raises(ChatError) as caught:
        model.ask(ASK)
    assert caught.value.kind == "closed"


def test_name__tells_models_apart_by_their_weights(lm: LanguageModel) -> None:
    assert lm.identity.text in LocalModel(lm, 1.0).name


def test_special_tokens__in_a_text_are_letters(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = "{% for m in messages %}[{{ m['content'] }}]{% endfor %}"
    monkeypatch.setattr(lm.tokenizer, "chat_template", template)
    name = str(lm.tokenizer.all_special_tokens[0])
    prompt = PromptReader(lm).prompt(Ask((Message("user", f"a{name}b"),)))
    assert name not in prompt
    assert prompt.startswith("[a")


def test_template__that_knows_no_system_has_it_in_the_first_turn(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no') }}"
        "{% endif %}[{{ m['content'] }}]{% endfor %}"
    )
    monkeypatch.setattr(lm.tokenizer, "chat_template", template)
    ask = Ask((Message("system", "be short"), Message("user", "say a")))
    assert PromptReader(lm).prompt(ask) == "[be short\n\nsay a]"


def test_choice__without_a_server_opens_the_model_itself(toy_model_folder: Path) -> None:
    choice = ModelChoice(model=str(toy_model_folder), device="cpu")
    assert choice.local
    assert choice.here
    model = open_chat_model(choice)
    assert model.ask(ASK).prompt_tokens > 0
    model.close()
