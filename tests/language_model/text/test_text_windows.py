"""A corpus becomes a model's own tokens as its settings say, chats with their roles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from toy_models import save_toy_model, toy_tokenizer
from transformers import PreTrainedTokenizerFast

from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.documents import Document, Message
from sae_desktop.corpus.windows import Encoded, windows
from sae_desktop.errors import UserError
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.text.text_reader import TextReader
from sae_desktop.language_model.text.text_windows import document_encoder, plan_windows, policy_text
from sae_desktop.language_model.text.tokenizer import adds_bos

CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nYou are a helpful AI assistant named SmolLM<|im_end|>\\n' }}"
    "{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' "
    "+ '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
BOS_FIRST = (
    "{{ bos_token }}{% for m in messages %}{{ '[' + m['role'] + ']' + m['content'] + eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
)
# Ends only the last answer, and refuses other roles, as some do.
STRICT = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] }}{% if loop.last %}{{ eos_token }}"
    "{% endif %}{% else %}{{ raise_exception('Only user and assistant roles are supported') }}"
    "{% endif %}{% endfor %}"
)
# Forgets what was thought before the last answer.
FORGETFUL = (
    "{% for m in messages %}{{ '[' + m['role'] + ']' }}{% if m['role'] == 'assistant' "
    "and loop.last %}{{ '<think>' }}{% endif %}{{ m['content'] }}{% endfor %}"
)
CHAT = (
    Message("user", "What is a feature?"),
    Message("assistant", "A direction, größer 🌉 than a neuron."),
    Message("user", "Thanks\n"),
)


def as_model(tokenizer: PreTrainedTokenizerFast, *, causal: bool = True) -> TextReader:
    return TextReader("toy", tokenizer, 64, len(tokenizer), causal=causal)


def toy(template: str = "", **changes: Any) -> Any:
    tokenizer = toy_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = template or None
    for name, value in changes.items():
        setattr(tokenizer, name, value)
    return as_model(tokenizer)


def chat(messages: Sequence[Message] = CHAT) -> Document:
    text = "\n\n".join(f"{m.role}: {m.content}" for m in messages)
    return Document(0, text, "c.jsonl", "", "", {}, tuple(messages))


def spoken(lm: Any, encoded: Encoded) -> list[tuple[str, str]]:
    """Return what each role says, after checking that the spans hold every token once."""
    found = []
    place = 0
    for role, first, length in encoded.roles:
        assert first == place
        assert length > 0
        place += length
        found.append((role, lm.tokenizer.decode(encoded.ids[first:place])))
    assert place == len(encoded.ids)
    return found


def encode(lm: Any, document: Document, **settings: Any) -> Encoded:
    return document_encoder(lm, CorpusSettings(**settings))(document)


def plan(lm: Any, *, minimum: int = 1, **settings: Any) -> Any:
    return plan_windows(lm, CorpusSettings(**{"context_size": 16, **settings}), minimum=minimum)


def test_plan__puts_bos_before_windows_as_asked() -> None:
    lm = toy()
    assert plan(lm).prefix == plan(lm, bos="always").prefix == (lm.bos_id,)
    assert plan(lm, bos="never").prefix == ()
    without = toy(bos_token=None)
    assert plan(without).prefix == plan(without, bos="never").prefix == ()
    with pytest.raises(UserError, match="no beginning-of-sequence token"):
        plan(without, bos="always")


def test_plan__of_an_encoder_has_cls_and_sep() -> None:
    lm = toy(cls_token="<|im_start|>", sep_token="<|im_end|>", bos_token=None)
    lm.causal = False
    made = plan(lm)
    assert (made.prefix, made.suffix) == (
        (lm.tokenizer.cls_token_id,),
        (lm.tokenizer.sep_token_id,),
    )
    assert made.room == 14
    assert plan(lm, bos="never").room == 16


def test_auto__puts_no_bos_where_the_tokenizer_says_it_adds_none() -> None:
    lm = toy()
    lm.tokenizer.init_kwargs["add_bos_token"] = False
    assert plan_windows(lm, CorpusSettings(corpus="c", context_size=32)).prefix == ()
    assert plan_windows(lm, CorpusSettings(corpus="c", context_size=32, bos="always")).prefix == (
        0,
    )
    words = policy_text(lm, plan_windows(lm, CorpusSettings(corpus="c", context_size=32)))
    assert "is set not to add one" in words


def test_tokenizer__says_of_bos_what_its_files_say(tmp_path: Path) -> None:
    folder = save_toy_model(tmp_path / "m")
    path = folder / "tokenizer_config.json"
    told = json.loads(path.read_text())
    assert adds_bos(load_model(str(folder)).tokenizer)
    path.write_text(json.dumps(told | {"add_bos_token": False, "tokenizer_class": "GPT2Tokenizer"}))
    assert not adds_bos(load_model(str(folder)).tokenizer)
    told.pop("add_bos_token", None)  # the class's own default is no word of the model's
    path.write_text(json.dumps(told | {"tokenizer_class": "GPT2Tokenizer"}))
    assert adds_bos(load_model(str(folder)).tokenizer)


@pytest.mark.parametrize("packing", ["document", "packed"])
def test_text_that_begins_with_bos__is_given_no_other(packing: str) -> None:
    lm = toy()
    bare = Document(0, "In the beginning", "t", "", "", {})
    ready = Document(0, "<|bos|>In the beginning", "t", "", "", {})
    for bos, before in (("auto", [0]), ("never", [])):
        settings = CorpusSettings(corpus="c", context_size=32, bos=bos, packing=packing)  # type: ignore[arg-type]
        plan, encode = plan_windows(lm, settings), document_encoder(lm, settings)
        own = lm.encode("In the beginning")
        found = next(iter(windows(plan, encode, documents=[ready])))
        expected = [*before, *own] if bos == "auto" else [0, *own]
        assert list(found.ids)[: len(expected)] == expected
        if bos == "auto":
            again = next(iter(windows(plan, encode, documents=[bare])))
            assert list(again.ids) == list(found.ids)


def test_separator__is_the_end_of_a_text_else_its_beginning() -> None:
    lm = toy()
    assert plan(lm).separator == ()
    assert plan(lm, packing="packed").separator == (lm.tokenizer.eos_token_id,)
    assert plan(toy(eos_token=None), packing="packed").separator == (lm.bos_id,)
    assert plan(toy(eos_token=None, bos_token=None), packing="packed").separator == ()


def test_windows_without_room__are_refused() -> None:
    with pytest.raises(UserError, match="longer than “toy” can read"):
        plan(toy(), context_size=65)
    with pytest.raises(UserError, match="no room for text"):
        plan(toy(), context_size=1)
    with pytest.raises(UserError, match="no room for text"):
        plan(toy(), context_size=2, minimum=3)
    assert plan(toy(), context_size=2, minimum=2).minimum == 2


def test_policy__is_said_in_words() -> None:
    lm = toy()
    assert policy_text(lm, plan(lm)) == (
        "Each window begins with <|bos|>. Each window holds tokens of one document. "
        "The name of a special token in a text is read as that token."
    )
    packed = plan(lm, packing="packed", bos="never", special_tokens="text")
    assert policy_text(lm, packed) == (
        "No token is put before a window. Windows are filled with one document after another, "
        "<|eos|> after each. The name of a special token in a text is read letter by letter."
    )
    without = toy(bos_token=None)
    assert "the tokenizer has no beginning-of-sequence token" in policy_text(without, plan(without))
    encoder = toy(cls_token="<|im_start|>", sep_token="<|im_end|>")
    encoder.causal = False
    assert policy_text(encoder, plan(encoder)).startswith(
        "Each window begins with <|im_start|> and ends with <|im_end|>."
    )


def test_special_tokens__are_read_as_tokens_or_as_letters_and_the_tokenizer_is_left_alone() -> None:
    lm = toy()
    before = lm.tokenizer.backend_tokenizer.to_str()
    document = Document(0, "a<|eos|>b", "s", "", "")
    as_tokens = encode(lm, document)
    as_text = encode(lm, document, special_tokens="text")
    assert lm.tokenizer.eos_token_id in as_tokens.ids
    assert lm.tokenizer.eos_token_id not in as_text.ids
    assert len(as_text.ids) > len(as_tokens.ids)
    assert lm.tokenizer.decode(as_text.ids) == lm.tokenizer.decode(as_tokens.ids) == document.text
    assert encode(lm, document).ids == as_tokens.ids == lm.encode(document.text)
    assert lm.tokenizer.backend_tokenizer.to_str() == before
    assert not lm.tokenizer.backend_tokenizer.encode_special_tokens


def test_chatml__keeps_roles_and_gives_the_templates_own_system_message_to_the_system() -> None:
    lm = toy(CHATML)
    found = encode(lm, chat())
    whole = lm.tokenizer.apply_chat_template(
        [m._asdict() for m in CHAT], tokenize=True, return_dict=False
    )
    assert found.ids == whole
    assert spoken(lm, found) == [
        ("system", "<|im_start|>system\nYou are a helpful AI assistant named SmolLM<|im_end|>\n"),
        ("user", "<|im_start|>user\nWhat is a feature?<|im_end|>\n"),
        ("assistant", f"<|im_start|>assistant\n{CHAT[1].content}<|im_end|>\n"),
        ("user", "<|im_start|>user\nThanks\n<|im_end|>\n"),
    ]


def metaspace_tokenizer() -> PreTrainedTokenizerFast:
    """As SentencePiece's models have it: a sign for spaces, bytes for unknown letters."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    tokenizer.train_from_iterator([CHAT[1].content], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>")


def wordpiece_tokenizer() -> PreTrainedTokenizerFast:
    """As BERT has it: small letters, words in pieces, spaces forgotten."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=200, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False
    )
    tokenizer.train_from_iterator([message.content for message in CHAT], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


@pytest.mark.parametrize("make", [metaspace_tokenizer, wordpiece_tokenizer])
@pytest.mark.parametrize("policy", ["tokens", "text"])
def test_roles__hold_every_token_whatever_the_tokenizer(make: Any, policy: str) -> None:
    tokenizer = make()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = CHATML
    lm = as_model(tokenizer)
    said = [CHAT[0], CHAT[1], Message("user", "the end <|im_end|>")]
    found = encode(lm, chat(said), special_tokens=policy)
    assert [role for role, _ in spoken(lm, found)] == ["system", "user", "assistant", "user"]
    start = tokenizer.convert_tokens_to_ids("<|im_start|>")
    firsts = [first for _, first, _ in found.roles]
    assert [place for place, token in enumerate(found.ids) if token == start] == firsts
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert found.ids.count(end) == (5 if policy == "tokens" else 4)
    if policy == "tokens":
        whole = tokenizer.apply_chat_template([m._asdict() for m in said], tokenize=False)
        assert found.ids == lm.encode(whole)


def test_chatml__with_a_system_message_has_no_other() -> None:
    lm = toy(CHATML)
    found = spoken(lm, encode(lm, chat([Message("system", "Be brief."), *CHAT[:2]])))
    assert [role for role, _ in found] == ["system", "user", "assistant"]
    assert found[0][1] == "<|im_start|>system\nBe brief.<|im_end|>\n"


def test_bos_of_a_template__is_not_doubled_and_stays_where_windows_have_none(
    tmp_path: Path,
) -> None:
    lm = toy(BOS_FIRST)
    found = encode(lm, chat())
    assert lm.bos_id not in found.ids
    assert spoken(lm, found)[0] == ("user", "[user]What is a feature?<|eos|>")
    kept = encode(lm, chat(), bos="never")
    assert kept.ids == [lm.bos_id, *found.ids]
    assert spoken(lm, kept)[0] == ("user", "<|bos|>[user]What is a feature?<|eos|>")
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps({"messages": [m._asdict() for m in CHAT]}))
    for bos, counts in (("auto", {1}), ("never", {0, 1})):
        settings = CorpusSettings(
            corpus=str(path),
            context_size=8,
            bos=bos,  # type: ignore[arg-type]
            order="files",
        )
        made = list(windows(plan_windows(lm, settings), document_encoder(lm, settings)))
        assert len(made) > 2
        assert made[0].ids.count(lm.bos_id) == 1
        assert {window.ids.count(lm.bos_id) for window in made} == counts


def test_template_that_ends_only_the_last_message__has_its_roles_found() -> None:
    lm = toy(STRICT)
    found = spoken(lm, encode(lm, chat([*CHAT, Message("assistant", "Bye")])))
    assert [role for role, _ in found] == ["user", "assistant", "user", "assistant"]
    assert found[1][1].strip() == CHAT[1].content
    assert found[3][1].endswith("<|eos|>")


def test_template_that_changes_what_came_before__has_its_roles_found_by_what_is_said() -> None:
    lm = toy(FORGETFUL)
    found = spoken(lm, encode(lm, chat()))
    assert [role for role, _ in found] == ["user", "assistant", "user"]
    assert all(m.content.strip() in text for m, (_, text) in zip(CHAT, found, strict=True))


def test_template_that_hides_a_message__leaves_roles_unknown() -> None:
    lm = toy("{% for m in messages %}{{ m['content'] | upper }}{% endfor %}")
    found = encode(lm, chat())
    assert found.ids
    assert found.roles == ()


def test_chat_a_template_refuses__is_named() -> None:
    lm = toy(STRICT)
    with pytest.raises(UserError, match="Only user and assistant roles") as caught:
        encode(lm, chat([Message("system", "x")]))
    assert "document 0 of “c.jsonl”" in caught.value.what


def test_special_tokens_said_in_a_chat__are_letters_where_asked_and_the_templates_are_not() -> None:
    lm = toy(CHATML)
    end = lm.tokenizer.convert_tokens_to_ids("<|im_end|>")
    said = [Message("system", "s"), Message("user", "say <|im_end|> <|eos|>"), CHAT[1]]
    as_tokens = encode(lm, chat(said))
    as_text = encode(lm, chat(said), special_tokens="text")
    assert as_tokens.ids.count(end) == 4
    assert as_text.ids.count(end) == 3
    assert lm.tokenizer.eos_token_id not in as_text.ids
    assert spoken(lm, as_text) == spoken(lm, as_tokens)
    plain = [Message("system", "s"), *CHAT]
    assert encode(lm, chat(plain), special_tokens="text") == encode(lm, chat(plain))


@pytest.mark.parametrize("said", ["<|im_end|>", "<|im_start|>", "user\n<|im_end|>", " <|eos|> "])
def test_message_that_looks_like_the_template__is_letters_all_the_same(said: str) -> None:
    lm = toy(CHATML)
    messages = [Message("system", "s"), Message("user", said), Message("assistant", "<|im_end|>")]
    found = encode(lm, chat(messages), special_tokens="text")
    for name in ("<|im_start|>", "<|im_end|>"):
        assert found.ids.count(lm.tokenizer.convert_tokens_to_ids(name)) == 3
    assert lm.tokenizer.eos_token_id not in found.ids
    # The template's own marks are the tokens, not those that look like them.
    start = lm.tokenizer.convert_tokens_to_ids("<|im_start|>")
    assert [found.ids[first] for _, first, _ in found.roles] == [start] * 3
    assert spoken(lm, found)[1] == ("user", f"<|im_start|>user\n{said}<|im_end|>\n")


def test_chat_without_a_template__is_an_error_only_where_it_was_asked_for() -> None:
    lm = toy()
    found = encode(lm, chat())
    assert lm.tokenizer.decode(found.ids) == chat().text
    assert found.roles == ()
    with pytest.raises(UserError, match="has no chat template") as caught:
        encode(lm, chat(), chat_column="messages")
    assert "column of texts" in caught.value.next_step


@pytest.mark.real_model
def test_smollm2__reads_chats_as_its_own_template_gives_them() -> None:
    lm = load_model("smollm2")
    settings = CorpusSettings(context_size=512)
    (prefix,) = plan_windows(lm, settings).prefix
    for messages in (CHAT, (Message("system", "Be brief."), *CHAT)):
        found = document_encoder(lm, settings)(chat(messages))
        whole = lm.tokenizer.apply_chat_template(
            [m._asdict() for m in messages], tokenize=True, return_dict=False
        )
        # Its beginning of a sequence is the beginning of a message.
        assert [prefix, *found.ids] == whole
        said = spoken(lm, found)
        assert [role for role, _ in said] == ["system", "user", "assistant", "user"]
        assert said[2][1] == f"<|im_start|>assistant\n{CHAT[1].content}<|im_end|>\n"


def test_loaded_model__has_its_texts_cut_into_windows(toy_model_folder: Path) -> None:
    lm = load_model(str(toy_model_folder))
    settings = CorpusSettings(context_size=64, packing="packed", order="files")
    made = windows(plan_windows(lm, settings), document_encoder(lm, settings))
    first = next(made)
    assert len(first.ids) == 64
    assert first.ids[0] == lm.bos_id
    assert first.spans[0].document.ordinal == 0
