"""The built-in model and corpus, as shipped: what the rest of the program and its users rely on."""

from __future__ import annotations

import json
import lzma
import random
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "resources/models/builtin"
CORPUS = ROOT / "resources/corpus/builtin.jsonl.xz"
RECIPE = ROOT / "packaging/builtin"

MAX_MODEL_BYTES = 12_000_000
MAX_CORPUS_BYTES = 4_300_000
MIN_CORPUS_TOKENS = 1_000_000
CONTEXT = 256

PASSAGES = {
    "en": "In the morning the people went up to the city, and the king spoke to all of them: "
    "Hear the word of the Lord, and do not forget what he has done for your fathers.",
    "fr": "Toute personne a droit à l'éducation. Pour installer ce logiciel, il suffit d'exécuter "
    "la commande suivante en tant qu'administrateur du système.",
    "es": "Toda persona tiene derecho a la educación. Para instalar este programa hay que ejecutar "
    "la siguiente orden como administrador del sistema.",
    "de": "Jeder Mensch hat das Recht auf Bildung. Um dieses Programm zu installieren, muss der "
    "Administrator des Systems den folgenden Befehl ausführen.",
    "python": "class Counter:\n    def __init__(self, start=0):\n        self.value = start\n\n"
    "    def add(self, amount):\n        if not isinstance(amount, int):\n"
    "            raise TypeError('amount must be an integer')\n        self.value += amount\n",
}
"""Written for this test: none of it is in the corpus."""

COMMON_WORDS = {
    "en": {"the", "of", "and", "to", "in", "is", "that", "for", "it", "with", "was", "be"},
    "fr": {"le", "la", "les", "de", "des", "et", "un", "une", "du", "est", "pour", "dans", "que"},
    "es": {"el", "la", "los", "de", "y", "en", "que", "un", "una", "por", "para", "con", "del"},
    "de": {"der", "die", "das", "und", "zu", "von", "ist", "ein", "eine", "mit", "den", "werden"},
}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return transformers.AutoTokenizer.from_pretrained(MODEL)


@pytest.fixture(scope="module")
def model() -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(MODEL).eval()


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    with lzma.open(CORPUS, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def is_validation() -> Any:
    """The recipe's own rule for what was held out."""
    before = set(sys.modules)
    sys.path.insert(0, str(RECIPE))
    try:
        from build_corpus import is_validation
        from sources import Document

        return lambda fields: is_validation(Document(**fields))
    finally:
        sys.path.remove(str(RECIPE))
        for name in set(sys.modules) - before:
            if str(RECIPE) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


@pytest.fixture(scope="module")
def card() -> dict[str, tuple[float, float, float]]:
    """Losses of model, trigram and unigram by kind of validation text, from the model card."""
    rows = re.findall(
        r"^\| ([\w ]+) \| [\d,]+ \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$",
        (MODEL / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    return {kind: (float(a), float(b), float(c)) for kind, a, b, c in rows}


def token_losses(model: Any, ids: list[int]) -> Any:
    """Nats of each token of one window, which is preceded by the beginning-of-text token."""
    window = torch.tensor([[model.config.bos_token_id, *ids]])
    with torch.no_grad():
        logits = model(window).logits[0, :-1]
    return torch.nn.functional.cross_entropy(logits, window[0, 1:], reduction="none")


# The model's folder


def test_model__fits_its_size_limit() -> None:
    assert sum(path.stat().st_size for path in MODEL.rglob("*")) <= MAX_MODEL_BYTES


def test_model__is_an_ordinary_llama_stored_in_16_bit(model: Any) -> None:
    from safetensors import safe_open

    assert model.config.model_type == "llama"
    with safe_open(MODEL / "model.safetensors", "pt") as file:
        assert {file.get_slice(name).get_dtype() for name in file.keys()} == {"F16"}  # noqa: SIM118


def test_model__loads_in_full_precision_with_finite_weights(model: Any) -> None:
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters())


def test_tokenizer__agrees_with_the_model(tokenizer: Any, model: Any) -> None:
    assert 4096 <= len(tokenizer) <= 8192
    assert len(tokenizer) == model.config.vocab_size
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        assert getattr(tokenizer, name) == getattr(model.config, name) is not None
    assert tokenizer.bos_token == "<|bos|>"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\t\n\r\n  \x00\x1f",
        "In 1984, 3.14159 × 2 = ½?",
        "naïve façade — “quoted” … ﬁ",
        "Ünïcödé Ελληνικά русский עברית العربية हिन्दी ไทย 中文 日本語 한국어",
        "👩🏽‍🚀🏳️‍🌈 \U0001f9ec\U0010ffff\ufeff\u200d",
        "def f(x):\n\treturn  x    # two\n",
        "x" * 2000,
    ],
)
def test_tokenizer__round_trips(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_tokenizer__round_trips_random_unicode(tokenizer: Any) -> None:
    source = random.Random(5)
    scalars = [*range(0xD800), *range(0xE000, 0x110000)]
    for _ in range(50):
        text = "".join(map(chr, source.choices(scalars, k=40)))
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_tokenizer__adds_nothing_and_splits_digits(tokenizer: Any) -> None:
    ids = tokenizer("2024")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == list("2024")


# What the model has learned


def test_card__records_a_loss_well_under_the_trigram_models(
    card: dict[str, tuple[float, float, float]],
) -> None:
    loss, trigram, unigram = card["all"]
    assert loss < trigram - 0.4 < unigram - 2
    for kind in ("web", "wordnet", "python", "language fr", "language es", "language de"):
        assert card[kind][0] < card[kind][1], kind


def test_model__reaches_the_cards_loss_on_held_out_text(
    model: Any,
    tokenizer: Any,
    documents: list[dict[str, Any]],
    is_validation: Any,
    card: dict[str, tuple[float, float, float]],
) -> None:
    loss, trigram, _ = card["all"]
    held_out = [document["text"] for document in documents if is_validation(document)]
    stream: list[int] = []
    for ids in tokenizer(held_out)["input_ids"]:
        stream += [*ids, tokenizer.eos_token_id]
    starts = range(0, len(stream) - CONTEXT, len(stream) // 64)
    losses = [token_losses(model, stream[i : i + CONTEXT - 1]).mean() for i in starts]
    measured = float(torch.stack(losses).mean())
    assert measured < trigram - 0.3
    assert measured == pytest.approx(loss, abs=0.2)


@pytest.mark.parametrize("language", list(PASSAGES))
def test_model__prefers_text_to_its_shuffled_tokens(
    model: Any, tokenizer: Any, language: str
) -> None:
    ids = tokenizer(PASSAGES[language])["input_ids"]
    shuffled = random.Random(0).sample(ids, len(ids))
    assert token_losses(model, ids).mean() < token_losses(model, shuffled).mean() - 1.5


@pytest.mark.parametrize("language", list(COMMON_WORDS))
def test_model__continues_in_the_language_of_the_prompt(
    model: Any, tokenizer: Any, language: str
) -> None:
    ids = [tokenizer.bos_token_id, *tokenizer(PASSAGES[language])["input_ids"]]
    torch.manual_seed(0)
    output = model.generate(
        torch.tensor([ids] * 4), max_new_tokens=60, do_sample=True, temperature=0.7, top_k=0
    )
    text = " ".join(tokenizer.batch_decode(output[:, len(ids) :], skip_special_tokens=True))
    words = Counter(re.findall(r"\w+", text.lower()))
    counts = {name: sum(words[word] for word in common) for name, common in COMMON_WORDS.items()}
    assert max(counts, key=lambda name: counts[name]) == language
    assert counts[language] >= 0.1 * sum(words.values())


# The corpus


def test_corpus__fits_its_size_limit() -> None:
    assert CORPUS.stat().st_size <= MAX_CORPUS_BYTES


def test_corpus__documents_are_complete_and_unique(documents: list[dict[str, Any]]) -> None:
    keys = {"id", "source", "language", "title", "group", "text"}
    assert all(set(document) == keys for document in documents)
    for name in keys - {"group"}:
        assert all(isinstance(document[name], str) and document[name] for document in documents)
    assert len({document["id"] for document in documents}) == len(documents)
    assert len({document["text"] for document in documents}) > 0.99 * len(documents)


def test_corpus__holds_over_a_million_tokens(
    documents: list[dict[str, Any]], tokenizer: Any
) -> None:
    sample = [document["text"] for document in documents[::10]]
    tokens = sum(map(len, tokenizer(sample)["input_ids"]))
    characters = sum(len(document["text"]) for document in documents)
    assert tokens / sum(map(len, sample)) * characters >= MIN_CORPUS_TOKENS


def test_corpus__has_twenty_languages_and_python(documents: list[dict[str, Any]]) -> None:
    languages = {document["language"] for document in documents}
    assert "python" in languages
    assert len(languages - {"python"}) >= 20
    assert all(re.fullmatch(r"python|[a-z]{2,3}(-\w+)*", language) for language in languages)


def test_corpus__keeps_translations_aligned(documents: list[dict[str, Any]]) -> None:
    groups: dict[str, list[str]] = defaultdict(list)
    for document in documents:
        if document["group"] is not None:
            groups[document["group"]].append(document["language"])
    assert all(len(set(languages)) == len(languages) for languages in groups.values())
    for number in range(1, 31):
        assert len(groups[f"udhr-article-{number}"]) >= 20
    for language in ("fr", "es", "de"):
        shared = [g for g, found in groups.items() if {"en", language} <= set(found)]
        assert len([g for g in shared if g.startswith("handbook")]) >= 50


def test_corpus__any_prefix_is_a_fair_mixture(documents: list[dict[str, Any]]) -> None:
    whole = Counter(document["source"] for document in documents)
    prefix = documents[: len(documents) // 10]
    part = Counter(document["source"] for document in prefix)
    for source, count in whole.items():
        expected = count / len(documents)
        tolerance = 4 * (expected / len(prefix)) ** 0.5
        assert part[source] / len(prefix) == pytest.approx(expected, abs=tolerance), source


def test_corpus__holds_out_whole_groups(
    documents: list[dict[str, Any]], is_validation: Any
) -> None:
    held_out = [document for document in documents if is_validation(document)]
    assert 0.02 < len(held_out) / len(documents) < 0.08
    groups = {document["group"] for document in held_out} - {None}
    trained = {document["group"] for document in documents if not is_validation(document)}
    assert groups
    assert not groups & trained


def test_notice__names_every_source(documents: list[dict[str, Any]]) -> None:
    notice = (ROOT / "resources/NOTICE").read_text(encoding="utf-8")
    for source in {document["source"] for document in documents}:
        assert re.search(rf"^{source}\s", notice, re.MULTILINE), source
